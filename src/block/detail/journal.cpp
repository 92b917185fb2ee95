// SPDX-License-Identifier: Apache-2.0
#include "block/detail/journal.h"

#include "block/limits.h"

namespace kiln::block {
namespace {

constexpr std::size_t kMaxRunsPerRecord = kMaxRecordPayload / 8;

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
      max_ring_bytes_(options.max_ring_bytes),
      head_(options.head),
      written_(options.next),
      next_seq_(options.next.seq),
      last_change_seq_(options.last_change_seq) {
    INVARIANT(used() <= ring_bytes_ && ring_bytes_ >= kMinJournalRing);
}

std::uint64_t Journal::room() const {
    return ring_bytes_ - journal_reserve(ring_bytes_);
}

JournalPosition Journal::written() const {
    INVARIANT(!completing_);
    return written_;
}

bool Journal::fits(std::size_t bytes, bool change) const {
    const std::uint64_t end = written_.position + queued_bytes_ + bytes;
    const std::uint64_t reserve = change ? journal_reserve(ring_bytes_) : 0;
    return end + reserve <= head_ + ring_bytes_ && (lap_end_ == 0 || end + reserve <= lap_end_);
}

std::uint64_t Journal::larger_ring(bool data) const {
    const std::uint64_t needed =
        waiting_.empty() ? 0 : 2 * record_bytes(8 * waiting_.front().runs.size());
    std::uint64_t ring = 2 * ring_bytes_;
    if (data) {
        ring = std::max(ring, std::min(kDataGrowth * ring_bytes_, kDataRing));
    }
    while (ring < needed) {
        ring *= 2;
    }
    return std::min(ring, max_ring_bytes_);
}

bool Journal::in_lap(std::uint64_t head) const {
    return written_.position + queued_bytes_ + journal_reserve(ring_bytes_) <= lap_end(head);
}

bool Journal::stay_in_lap(std::uint64_t head) {
    if (!in_lap(head)) {
        return false;
    }
    lap_end_ = lap_end(head);
    return true;
}

void Journal::advance(std::uint64_t head, std::uint64_t ring_bytes) {
    INVARIANT(head >= head_ && head <= written_.position);
    if (ring_bytes != ring_bytes_) {
        // The same places, counted in the new ring.
        INVARIANT(lap_end_ != 0 && written_.position + queued_bytes_ <= lap_end_);
        const std::uint64_t base = head - place(head);
        head -= base;
        written_.position -= base;
        batch_end_.position -= base;
        ring_bytes_ = ring_bytes;
    }
    head_ = head;
    lap_end_ = 0;
}

void Journal::admit_waiting() {
    while (!waiting_.empty() && fits(record_bytes(8 * waiting_.front().runs.size()), true)) {
        Waiting next = std::move(waiting_.front());
        waiting_.pop_front();
        enqueue_runs(next.type, next.runs, std::move(next.done));
    }
}

void Journal::refuse_waiting(const Error& error) {
    for (Waiting& change : waiting_) {
        fail_later(std::move(change.done), error);
    }
    waiting_.clear();
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
    const std::size_t bytes = record_bytes(8 * split.size());
    if (bytes + journal_reserve(max_ring_bytes_) > max_ring_bytes_) {
        fail_later(std::move(done), Error(Code::out_of_space, "the layer's journal is too small"));
    } else if (!waiting_.empty() || !fits(bytes, true)) {
        waiting_.push_back({type, std::move(split), std::move(done)});
    } else {
        enqueue_runs(type, split, std::move(done));
    }
}

void Journal::enqueue_runs(RecordType type, const std::vector<BlockRange>& split, Done done) {
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
        write_batch();
    }
}

void Journal::write_batch() {
    // A batch across the ring's end is written in two parts, in their order: what a process that
    // ended wrote must have no gaps.
    const std::uint64_t at = place(written_.position);
    const std::size_t first = std::min<std::uint64_t>(buffer_.size(), ring_bytes_ - at);
    const ByteView all = buffer_;
    io_.submit(io::Op::write(file_, kJournalHeaderBytes + at, all.first(first)),
               [this, rest = all.subspan(first)](Result<std::uint64_t> result) {
                   if (!result || rest.empty()) {
                       batch_written(std::move(result));
                       return;
                   }
                   io_.submit(
                       io::Op::write(file_, kJournalHeaderBytes, rest),
                       [this](Result<std::uint64_t> more) { batch_written(std::move(more)); });
               });
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
    completing_ = true;
    for (Entry& entry : batch) {
        for (Done& done : entry.done) {
            done(ok());
        }
    }
    completing_ = false;
}

void Journal::fail_all(const Error& error) {
    std::vector<Entry> entries = std::move(batch_);
    batch_.clear();
    for (Entry& entry : queue_) {
        entries.push_back(std::move(entry));
    }
    queue_.clear();
    queued_bytes_ = 0;
    refuse_waiting(error);
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
    sync_waiting_.push_back(std::move(done));
    if (syncing_.empty()) {
        start_sync();
    }
}

// One at a time: where a sync fails the kernel gives up what it could not write, and another one in
// flight beside it says that all is well.
void Journal::start_sync() {
    syncing_.swap(sync_waiting_);
    io_.submit(io::Op::sync_data(file_), [this, seq = written_seq()](Result<std::uint64_t> result) {
        auto finished = std::exchange(syncing_, {});
        if (!result) {
            failed_ = Error(Code::io_error, "sync the journal: " + result.error().message());
        } else {
            synced_seq_ = std::max(synced_seq_, seq);
        }
        if (failed_) {
            for (Done& done : std::exchange(sync_waiting_, {})) {
                finished.push_back(std::move(done));
            }
        } else if (!sync_waiting_.empty()) {
            start_sync();
        }
        for (Done& done : finished) {
            done(failed_ ? Status(*failed_) : ok());
        }
    });
}

}  // namespace kiln::block
