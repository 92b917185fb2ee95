// SPDX-License-Identifier: Apache-2.0
// LocalLayer::flush: data first, then the FLUSHED record, then the journal; or, where little was
// written, that data and all in one record of the journal, which is then the only file to sync. One
// flush runs at a time; those that come meanwhile share the next one.
#include "block/limits.h"
#include "block/local_layer.h"

namespace kiln::block {

void LocalLayer::flush(std::uint64_t through, Done done) {
    if (refuse(done, false)) {
        return;
    }
    if (!writable_ || sealed_ || durable_version_ >= through) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    flush_waiters_.push_back({through, std::move(done)});
    start_flush();
}

// If nothing speaks against it; else it is called again.
void LocalLayer::start_flush() {
    if (failed_) {
        // No second sync: it would succeed, and vouch for what the first one lost.
        for (FlushWaiter& waiter : flush_waiters_) {
            fail_later(std::move(waiter.done), *failed_);
        }
        flush_waiters_.clear();
        return;
    }
    // While the ring grows nothing may come behind the end of the old one.
    const bool begins_checkpoint = checkpoint_ == Checkpoint::flushing;
    if (flushing_ || checkpoint_ == Checkpoint::wanted || journal_.staying_in_lap() ||
        (flush_waiters_.empty() && !begins_checkpoint)) {
        return;
    }
    flushing_ = true;
    for (FlushWaiter& waiter : flush_waiters_) {
        flushing_waiters_.push_back(std::move(waiter));
    }
    flush_waiters_.clear();
    const std::uint64_t version = version_;
    if (!context_.durable) {
        context_.scheduler.post([this, version] { finish_flush(version, ok()); });
        return;
    }
    if (may_log() && room_to_log()) {
        log_data(version, journal_.mark());
        return;
    }
    in_place_wanted_ = false;
    retained_.begin();
    // Settled now, as the sync is submitted: records up to here have their data written. A write
    // that completes while the sync runs is not covered, and its record does not merge into one
    // that is.
    const std::uint64_t through_seq = journal_.mark();
    shards_.sync_dirty([this, version, through_seq](Status status) {
        flush_data_done(version, through_seq, std::move(status));
    });
}

void LocalLayer::flush_data_done(std::uint64_t version, std::uint64_t through_seq, Status status) {
    if (!status) {
        // What the device dropped cannot be known, and a second sync would say that all is well.
        fatal(status.error());
        finish_flush(version, Status(*failed_));
        return;
    }
    if (journal_.last_change_seq() > through_seq_ || data_logged_) {
        // Also for LOGGED records alone: else they would overwrite what is newer.
        flush_record(version, through_seq);
    } else if (journal_.synced_seq() >= journal_.last_change_seq()) {
        finish_flush(version, ok());
    } else {
        // The FLUSHED record is from the process before, which may have ended before its sync.
        sync_journal(version, through_seq);
    }
}

void LocalLayer::flush_record(std::uint64_t version, std::uint64_t through_seq) {
    const Record record{.type = RecordType::flushed,
                        .through_seq = through_seq,
                        .synced_seq = journal_.synced_seq()};
    journal_.append(record, [this, version, through_seq](Status written) {
        if (!written) {
            finish_flush(version, std::move(written));
            return;
        }
        data_logged_ = false;
        sync_journal(version, through_seq);
    });
}

// Where a record is due anyway, and is not much larger with the data in it. What a checkpoint
// covers and what is sealed needs its data in its place, and so does whoever opens the layer next,
// of files that are there. Behind what a checkpoint covers, while it is written down, this goes on.
bool LocalLayer::may_log() const {
    return map_.superblock().data_logged &&
           (checkpoint_ == Checkpoint::none || checkpoint_ == Checkpoint::writing) &&
           !in_place_wanted_ && retained_.complete() && !retained_.empty() &&
           (journal_.last_change_seq() > through_seq_ || data_logged_) && shards_.files_durable() &&
           !retained_.may_hold_record();
}

// Half of the ring; while a checkpoint is under way more of it, but some is left to the changes.
// Without room this flush goes the other way, and a checkpoint follows if it makes room for many.
bool LocalLayer::room_to_log() {
    const std::uint64_t bytes = record_bytes(logged_payload(retained_.blocks()));
    const bool none = checkpoint_ == Checkpoint::none;
    const std::uint64_t most =
        none ? checkpoint_at() : std::min(2 * checkpoint_at(), journal_.room() / 8 * 7);
    if (journal_.used() + bytes < most) {
        return true;
    }
    log_full_ = none && (kFlushesPerCheckpoint * bytes <= checkpoint_at() || may_grow());
    return false;
}

void LocalLayer::log_data(std::uint64_t version, std::uint64_t through_seq) {
    data_logged_ = true;
    const auto blocks = retained_.take();
    Record record{.type = RecordType::logged,
                  .through_seq = through_seq,
                  .synced_seq = journal_.synced_seq()};
    for (const auto& [block, data] : blocks) {
        record.logged.push_back({block, data});
    }
    journal_.append(record, [this, version, through_seq](Status written) {
        if (!written) {
            finish_flush(version, std::move(written));
            return;
        }
        sync_journal(version, through_seq);
    });
}

void LocalLayer::flush_in_place(Done done) {
    in_place_wanted_ = true;
    ++version_;  // more than any flush so far has made durable
    flush(version_, std::move(done));
}

void LocalLayer::sync_journal(std::uint64_t version, std::uint64_t through_seq) {
    journal_.sync([this, version, through_seq](Status synced) {
        if (synced) {
            through_seq_ = std::max(through_seq_, through_seq);
        } else {
            fatal(synced.error());
        }
        finish_flush(version, std::move(synced));
    });
}

void LocalLayer::finish_flush(std::uint64_t version, Status status) {
    flushing_ = false;
    if (status) {
        durable_version_ = std::max(durable_version_, version);
    } else if (status.error().code() == Code::io_error) {
        fatal(status.error());
    }
    auto waiters = std::move(flushing_waiters_);
    flushing_waiters_.clear();
    if (checkpoint_ == Checkpoint::flushing) {
        checkpoint_flushed(status);
    } else if (checkpoint_ == Checkpoint::wanted) {
        begin_checkpoint_later();
    } else if (log_full_) {
        maybe_checkpoint();
    }
    start_flush();
    for (FlushWaiter& waiter : waiters) {
        waiter.done(status);
    }
}

}  // namespace kiln::block
