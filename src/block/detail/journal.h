// SPDX-License-Identifier: Apache-2.0
// Journal: appends records to a layer's journal file, one write in flight at a time; what arrives
// meanwhile goes with the next one, and neighbouring changes of one kind share a record. An append
// completes when its record and all earlier ones are written. Seqs are given at append; FLUSHED's
// through_seq comes from mark(), behind which nothing merges.
//
// out_of_space: the ring (or the disk) is full; the changes that were queued are taken back,
// rollbacks() counts that. A failed write or sync is final: everything afterwards fails with
// io_error. Thread model: one owner thread; completions never run inside the call.
#pragma once

#include <deque>

#include "block/detail/journal_format.h"
#include "io/buffer.h"
#include "io/io.h"
#include "io/scheduler.h"

namespace kiln::block {

class Journal {
  public:
    struct Options {
        io::FileId file;
        std::uint64_t ring_bytes = 0;
        std::uint64_t file_bytes = 0;  // its present length
        JournalPosition next;          // all before it is written
        std::uint64_t last_change_seq = 0;
    };
    Journal(io::Io& io, io::Scheduler& scheduler, Options options);

    // set or zero. The runs count as data written.
    void append_runs(RecordType type, const std::vector<BlockRange>& runs, Done done);
    // flushed, freeze or boot.
    void append(const Record& record, Done done);
    // The last record appended so far; later changes get records of their own.
    std::uint64_t mark();
    void sync(Done done);

    std::uint64_t synced_seq() const { return synced_seq_; }
    std::uint64_t written_seq() const { return written_.seq - 1; }
    // The last SET or ZERO appended.
    std::uint64_t last_change_seq() const { return last_change_seq_; }
    std::uint64_t rollbacks() const { return rollbacks_; }
    // Nothing is queued or on its way.
    bool idle() const { return queue_.empty() && batch_.empty(); }

  private:
    struct Entry {
        RecordType type;
        std::uint64_t seq;
        std::vector<BlockRange> runs;
        Bytes payload;  // of the other types
        bool closed = false;
        std::vector<Done> done;
        std::size_t bytes() const;
    };

    bool fits(std::size_t bytes, bool change) const;
    void fail_later(Done done, Error error);
    void kick();
    void start_batch();
    void allocate_then_write();
    void write_batch();
    void batch_written(Result<std::uint64_t> result);
    void fail_all(const Error& error);

    io::Io& io_;
    io::Scheduler& scheduler_;
    const io::FileId file_;
    const std::uint64_t ring_bytes_;
    std::uint64_t file_bytes_;
    JournalPosition written_;  // behind the last written record
    JournalPosition batch_end_;
    std::uint64_t next_seq_;
    std::uint64_t queued_bytes_ = 0;  // records not yet written
    std::deque<Entry> queue_;
    std::vector<Entry> batch_;
    Bytes buffer_;
    bool kicked_ = false;
    std::uint64_t synced_seq_ = 0;
    std::uint64_t last_change_seq_;
    std::uint64_t rollbacks_ = 0;
    std::optional<Error> failed_;
};

}  // namespace kiln::block
