// SPDX-License-Identifier: Apache-2.0
// Journal: appends records to a layer's journal file, one write in flight at a time; what arrives
// meanwhile goes with the next one, and neighbouring changes of one kind share a record. An append
// completes when its record and all earlier ones are written. Seqs are given as records are queued;
// FLUSHED's through_seq comes from mark(), behind which nothing merges.
//
// Positions count bytes; position mod ring_bytes is the place in the ring. Records from head() on
// are kept. Changes that find no room wait, in order, for advance() and admit_waiting(), or for
// refuse_waiting(). A failed write or sync is final: everything afterwards fails with io_error.
// Thread model: one owner thread; completions never run inside the call.
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
        std::uint64_t max_ring_bytes = 0;
        std::uint64_t head = 0;  // position of the first record kept
        JournalPosition next;    // all before it is written
        std::uint64_t last_change_seq = 0;
    };
    Journal(io::Io& io, io::Scheduler& scheduler, Options options);

    // set or zero. The runs count as data written. out_of_space: the largest ring cannot hold it.
    void append_runs(RecordType type, const std::vector<BlockRange>& runs, Done done);
    // Of the other types; for them there is a reserve.
    void append(const Record& record, Done done);
    // The last record appended so far; later changes get records of their own.
    std::uint64_t mark();
    void sync(Done done);

    // Behind the last written record. All completions up to it have run.
    JournalPosition written() const;
    std::uint64_t ring_bytes() const { return ring_bytes_; }
    std::uint64_t place(std::uint64_t position) const { return position % ring_bytes_; }
    std::uint64_t head() const { return head_; }
    // Of the records kept and queued, and what changes may take.
    std::uint64_t used() const { return written_.position - head_ + queued_bytes_; }
    std::uint64_t room() const;
    bool waiting() const { return !waiting_.empty(); }
    // The next larger ring: twice this one, and enough for what waits. With `data`, where the ring
    // is filled by it, more at a time.
    std::uint64_t larger_ring(bool data) const;
    // Whether the records from `head` on, and the reserve, lie before the ring's end.
    bool in_lap(std::uint64_t head) const;
    // The same; if so, none will come behind the end until advance().
    bool stay_in_lap(std::uint64_t head);
    bool staying_in_lap() const { return lap_end_ != 0; }
    // Frees what lies before `head`. Another ring size only after stay_in_lap().
    void advance(std::uint64_t head, std::uint64_t ring_bytes);
    void admit_waiting();
    void refuse_waiting(const Error& error);

    std::uint64_t synced_seq() const { return synced_seq_; }
    std::uint64_t written_seq() const { return written_.seq - 1; }
    // The last SET or ZERO appended.
    std::uint64_t last_change_seq() const { return last_change_seq_; }
    // Nothing is queued, waiting or on its way.
    bool idle() const { return queue_.empty() && batch_.empty() && waiting_.empty(); }

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

    struct Waiting {
        RecordType type;
        std::vector<BlockRange> runs;
        Done done;
    };

    bool fits(std::size_t bytes, bool change) const;
    void enqueue_runs(RecordType type, const std::vector<BlockRange>& runs, Done done);
    void fail_later(Done done, Error error);
    void kick();
    void start_batch();
    void write_batch();
    void batch_written(Result<std::uint64_t> result);
    void fail_all(const Error& error);
    void start_sync();
    std::uint64_t lap_end(std::uint64_t head) const { return head - place(head) + ring_bytes_; }

    io::Io& io_;
    io::Scheduler& scheduler_;
    const io::FileId file_;
    std::uint64_t ring_bytes_;
    const std::uint64_t max_ring_bytes_;
    std::uint64_t head_;
    std::uint64_t lap_end_ = 0;  // position that no record may pass; 0: no such
    JournalPosition written_;    // behind the last written record
    JournalPosition batch_end_;
    std::uint64_t next_seq_;
    std::uint64_t queued_bytes_ = 0;  // records not yet written
    std::deque<Entry> queue_;
    std::vector<Entry> batch_;
    std::deque<Waiting> waiting_;
    Bytes buffer_;
    bool completing_ = false;
    std::vector<Done> syncing_;
    std::vector<Done> sync_waiting_;
    bool kicked_ = false;
    std::uint64_t synced_seq_ = 0;
    std::uint64_t last_change_seq_;
    std::optional<Error> failed_;
};

}  // namespace kiln::block
