// SPDX-License-Identifier: Apache-2.0
#include "block/detail/journal.h"

#include "block/limits.h"

namespace kiln::block {
namespace {

constexpr std::size_t kMaxRunsPerRecord = kMaxRecordPayload / 8;
constexpr std::uint64_t kNoMoreAllocation = ~0ULL;

// Appends a run, merged with the last one where they touch and split where a run cannot hold it.
void add_run(std::vector<BlockRange>& runs, BlockRange run) {
    if (!runs.empty() && runs.back().end() == run.first &&
        runs.back().count + run.count <= kMaxRunBlocks) {
        runs.back().count += run.count;
        return;
    }
    while (run.count > 0) {
        const std::uint64_t count = std::min(run.count, kMaxRunBlocks);
        runs.push_back({run.first, count});
        run.first += count;
        run.count -= count;
    }
}

}  // namespace

std::size_t Journal::Entry::bytes() const {
    return record_bytes(payload.size() + 8 * runs.size());
}

Journal::Journal(io::Io& io, io::Scheduler& scheduler, Options options)
    : io_(io),
      scheduler_(scheduler),
      file_(options.file),
      ring_bytes_(options.ring_bytes),
      file_bytes_(options.file_bytes),
      written_(options.next),
      next_seq_(options.next.seq),
      last_change_seq_(options.last_change_seq) {}

bool Journal::fits(std::size_t bytes, bool change) const {
    const std::uint64_t room = ring_bytes_ - (change ? kJournalReserve : 0);
    return written_.position + queued_bytes_ + bytes <= room;
}

void Journal::fail_later(Done done, Error error) {
    scheduler_.post(
        [done = std::move(done), error = std::move(error)]() mutable { done(std::move(error)); });
}

void Journal::append_runs(RecordType type, const std::vector<BlockRange>& runs, Done done) {
    if (failed_) {
        fail_later(std::move(done), *failed_);
        return;
    }
    std::vector<BlockRange> split;
    for (const BlockRange run : runs) {
        add_run(split, run);
    }
    INVARIANT(!split.empty() && split.size() <= kMaxRunsPerRecord);
    if (!fits(record_bytes(8 * split.size()), true)) {
        fail_later(std::move(done), Error(Code::out_of_space, "the layer's journal is full"));
        return;
    }
    const bool merge = !queue_.empty() && !queue_.back().closed && queue_.back().type == type &&
                       queue_.back().runs.size() + split.size() <= kMaxRunsPerRecord;
    if (!merge) {
        queue_.push_back(
            Entry{.type = type, .seq = next_seq_++, .runs = {}, .payload = {}, .done = {}});
        queued_bytes_ += kRecordHeaderBytes;
    }
    Entry& entry = queue_.back();
    const std::size_t before = entry.runs.size();
    for (const BlockRange run : split) {
        add_run(entry.runs, run);
    }
    queued_bytes_ += 8 * (entry.runs.size() - before);
    entry.done.push_back(std::move(done));
    last_change_seq_ = entry.seq;
    kick();
}

void Journal::append(const Record& record, Done done) {
    if (failed_) {
        fail_later(std::move(done), *failed_);
        return;
    }
    Bytes payload = encode_payload(record);
    const std::size_t bytes = record_bytes(payload.size());
    if (!fits(bytes, false)) {
        fail_later(std::move(done), Error(Code::out_of_space, "the layer's journal is full"));
        return;
    }
    queue_.push_back(Entry{.type = record.type,
                           .seq = next_seq_++,
                           .runs = {},
                           .payload = std::move(payload),
                           .closed = true,
                           .done = {}});
    queue_.back().done.push_back(std::move(done));
    queued_bytes_ += bytes;
    kick();
}

std::uint64_t Journal::mark() {
    if (!queue_.empty()) {
        queue_.back().closed = true;
    }
    return next_seq_ - 1;
}

void Journal::kick() {
    if (kicked_ || !batch_.empty()) {
        return;
    }
    // Not at once: the other completions of this round join the batch.
    kicked_ = true;
    scheduler_.post([this] {
        kicked_ = false;
        start_batch();
    });
}

void Journal::start_batch() {
    INVARIANT(batch_.empty());
    buffer_.clear();
    batch_end_ = written_;
    while (!queue_.empty() && buffer_.size() < kMaxJournalBatch) {
        Entry& entry = queue_.front();
        INVARIANT(entry.seq == batch_end_.seq);
        if (entry.payload.empty()) {
            entry.payload =
                encode_payload(Record{.type = entry.type, .runs = std::move(entry.runs)});
            entry.runs.clear();
        }
        append_record(entry.type, entry.payload, batch_end_, buffer_);
        batch_.push_back(std::move(entry));
        queue_.pop_front();
    }
    if (!batch_.empty()) {
        allocate_then_write();
    }
}

void Journal::allocate_then_write() {
    const std::uint64_t needed = kJournalHeaderBytes + batch_end_.position;
    if (needed <= file_bytes_) {
        write_batch();
        return;
    }
    // Doubling; space that is reserved first cannot run out in the middle of a record.
    const std::uint64_t room =
        file_bytes_ - std::min<std::uint64_t>(file_bytes_, kJournalHeaderBytes);
    const std::uint64_t wanted = std::max(2 * room, needed - kJournalHeaderBytes);
    const std::uint64_t length = kJournalHeaderBytes + std::min(wanted, ring_bytes_);
    io_.submit(io::Op::allocate(file_, file_bytes_, length - file_bytes_),
               [this, length](Result<std::uint64_t> result) {
                   if (result) {
                       file_bytes_ = length;
                   } else if (result.error().code() == Code::unsupported) {
                       file_bytes_ = kNoMoreAllocation;
                   } else {
                       fail_all(std::move(result.error()).with("extend the journal"));
                       return;
                   }
                   write_batch();
               });
}

void Journal::write_batch() {
    io_.submit(io::Op::write(file_, kJournalHeaderBytes + written_.position, buffer_),
               [this](Result<std::uint64_t> result) { batch_written(std::move(result)); });
}

void Journal::batch_written(Result<std::uint64_t> result) {
    if (!result) {
        // How much of it was written is unknown; whatever is written behind it could contradict it.
        failed_ = Error(Code::io_error, "write the journal: " + result.error().message());
        fail_all(*failed_);
        return;
    }
    queued_bytes_ -= batch_end_.position - written_.position;
    written_ = batch_end_;
    std::vector<Entry> batch = std::move(batch_);
    batch_.clear();
    if (!queue_.empty()) {
        kick();
    }
    for (Entry& entry : batch) {
        for (Done& done : entry.done) {
            done(ok());
        }
    }
}

void Journal::fail_all(const Error& error) {
    std::vector<Entry> entries = std::move(batch_);
    batch_.clear();
    for (Entry& entry : queue_) {
        entries.push_back(std::move(entry));
    }
    queue_.clear();
    queued_bytes_ = 0;
    next_seq_ = written_.seq;
    last_change_seq_ = std::min(last_change_seq_, written_.seq - 1);
    ++rollbacks_;
    for (Entry& entry : entries) {
        for (Done& done : entry.done) {
            done(error);
        }
    }
}

void Journal::sync(Done done) {
    if (failed_) {
        fail_later(std::move(done), *failed_);
        return;
    }
    io_.submit(io::Op::sync_data(file_), [this, seq = written_seq(), done = std::move(done)](
                                             Result<std::uint64_t> result) mutable {
        if (!result) {
            failed_ = Error(Code::io_error, "sync the journal: " + result.error().message());
            done(*failed_);
            return;
        }
        synced_seq_ = std::max(synced_seq_, seq);
        done(ok());
    });
}

}  // namespace kiln::block
