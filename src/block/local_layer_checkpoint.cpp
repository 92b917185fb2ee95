// SPDX-License-Identifier: Apache-2.0
// LocalLayer's checkpoints (docs/formats/layer.md, "Checkpoint"): presence is held fixed, a flush
// makes durable what it says, the changed pages and a new superblock are written, and the journal
// behind them is free. Reads, changes and flushes go on meanwhile.
#include "block/limits.h"
#include "block/local_layer.h"

namespace kiln::block {

std::uint64_t LocalLayer::checkpoint_at() const {
    return std::min(context_.geometry.checkpoint_bytes, journal_.room() / 2);
}

bool LocalLayer::replay_is_long() const {
    return journal_.used() > std::min(kShortReplayBytes, checkpoint_at() / 2);
}

void LocalLayer::maybe_checkpoint() {
    if (failed_) {
        journal_.refuse_waiting(*failed_);
        return;
    }
    if (checkpoint_ != Checkpoint::none || sealed_) {
        return;
    }
    // On a full device only a change that cannot do without tries again.
    const bool full = (log_full_ && !ending_) || journal_.used() >= checkpoint_at();
    if (journal_.waiting() || (!device_full_ && full)) {
        start_checkpoint(true, [](Status) {});
    }
}

void LocalLayer::start_checkpoint(bool grow, Done done) {
    INVARIANT(checkpoint_ == Checkpoint::none);
    checkpoint_ = Checkpoint::wanted;
    grow_ = grow;
    grow_for_data_ = std::exchange(log_full_, false);
    not_grown_.reset();
    checkpoint_done_ = std::move(done);
    if (!flushing_) {
        begin_checkpoint_later();
    }
}

// From the loop, not from a completion of the journal: there some of the presence that the records
// written so far stand for is still to be set.
void LocalLayer::begin_checkpoint_later() {
    context_.scheduler.post([this] {
        if (failed_) {
            finish_checkpoint(*failed_);
            return;
        }
        covered_ = journal_.written();
        presence_.freeze();
        checkpoint_ = Checkpoint::flushing;
        start_flush();
    });
}

void LocalLayer::checkpoint_flushed(Status status) {
    checkpoint_ = Checkpoint::writing;
    if (!status) {
        finish_checkpoint(std::move(status));
        return;
    }
    map_.write_pages(presence_, [this](Status written) {
        if (!written) {
            finish_checkpoint(std::move(written));
        } else if (grow_ && may_grow() && journal_.in_lap(covered_.position)) {
            grow_ring();
        } else {
            put_in_force(journal_.ring_bytes());
        }
    });
}

bool LocalLayer::may_grow() const {
    const Superblock& superblock = map_.superblock();
    return journal_.ring_bytes() < superblock.max_ring_bytes && !not_grown_;
}

// Without the space, or where the records that stay lie across the ring's end, it keeps its size.
void LocalLayer::grow_ring() {
    const std::uint64_t from = journal_.ring_bytes();
    const std::uint64_t to = journal_.larger_ring(grow_for_data_);
    if (to <= filled_ring_) {
        put_larger_in_force(to);  // it lay across the end the last time
        return;
    }
    context_.io.submit(io::Op::allocate(journal_file_, kJournalHeaderBytes + from, to - from),
                       [this, from, to](Result<std::uint64_t> result) {
                           if (!result && result.error().code() != Code::unsupported) {
                               not_grown_ = std::move(result.error());
                               put_in_force(from);
                           } else if (!context_.durable) {
                               put_larger_in_force(to);
                           } else {
                               fill_ring(from, to);
                           }
                       });
}

// With zeros, as the first ring is: what is merely allocated makes each sync of it dearer, later.
void LocalLayer::fill_ring(std::uint64_t from, std::uint64_t to) {
    if (from == to) {
        filled_ring_ = to;
        put_larger_in_force(to);
        return;
    }
    static const Bytes zeros(kRingPiece, 0);
    const std::size_t bytes =
        std::min({std::uint64_t{kRingPiece}, journal_.ring_bytes(), to - from});
    context_.io.submit(
        io::Op::write(journal_file_, kJournalHeaderBytes + from, ByteView(zeros).first(bytes)),
        [this, from, to, bytes](Result<std::uint64_t> written) {
            if (!written) {
                not_grown_ = std::move(written.error());
                put_in_force(journal_.ring_bytes());
                return;
            }
            journal_.sync([this, from, to, bytes](Status synced) {
                if (synced) {
                    fill_ring(from + bytes, to);
                } else {
                    finish_checkpoint(std::move(synced));
                }
            });
        });
}

void LocalLayer::put_larger_in_force(std::uint64_t to) {
    put_in_force(journal_.stay_in_lap(covered_.position) ? to : journal_.ring_bytes());
}

void LocalLayer::put_in_force(std::uint64_t ring_bytes) {
    if (failed_) {
        finish_checkpoint(*failed_);
        return;
    }
    Superblock next = map_.superblock();
    next.map_pages = true;
    next.data_logged = true;
    next.boot_id = context_.boot_id;
    next.ring_bytes = ring_bytes;
    next.head = covered_;
    next.head.position = journal_.place(covered_.position);
    next.floor_seq = std::max(next.floor_seq, journal_.synced_seq());
    map_.write_superblock(std::move(next), [this, ring_bytes](Status written) {
        checkpoint_in_force(ring_bytes, std::move(written));
    });
}

void LocalLayer::checkpoint_in_force(std::uint64_t ring_bytes, Status status) {
    if (!status) {
        // Which superblock the device has cannot be known, so nothing may be written any more.
        fatal(status.error());
        finish_checkpoint(*failed_);
        return;
    }
    presence_.unfreeze(true);
    presence_.extend(map_.superblock().size_bytes / kBlockBytes);
    through_seq_ = std::max(through_seq_, covered_.seq - 1);
    journal_.advance(covered_.position, ring_bytes);
    // Before anything uses the room: with what it overwrites goes all that the superblock of before
    // needs, and the record says so.
    journal_.append(Record{.type = RecordType::ckpt, .generation = map_.superblock().generation},
                    [this](Status written) { finish_checkpoint(std::move(written)); });
    journal_.admit_waiting();
    start_flush();
}

void LocalLayer::finish_checkpoint(Status status) {
    checkpoint_ = Checkpoint::none;
    device_full_ = !status && status.error().code() == Code::out_of_space;
    if (!status) {
        map_.abandon_pages();
        presence_.unfreeze(false);
        if (device_full_) {
            journal_.refuse_waiting(status.error());
        } else {
            fatal(status.error());
        }
    } else if (not_grown_) {
        journal_.refuse_waiting(*not_grown_);
    }
    start_flush();
    Done done = std::move(checkpoint_done_);
    auto waiters = std::exchange(quiet_waiters_, {});
    if (grow_ && waiters.empty()) {
        maybe_checkpoint();  // those who wait for quiet, or asked for this one, look themselves
    }
    done(std::move(status));
    for (auto& waiter : waiters) {
        waiter();
    }
}

// The files of the data first, then a checkpoint whose superblock has the new size: what was before
// it is there whole until then.
void LocalLayer::extend(std::uint64_t blocks, Done done) {
    if (refuse(done, true)) {
        return;
    }
    if (blocks <= presence_.blocks()) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    shards_.extend(blocks * kBlockBytes,
                   [this, blocks, done = std::move(done)](Status status) mutable {
                       if (!status) {
                           changed(std::move(done), std::move(status));
                           return;
                       }
                       extend_quiet(blocks, std::move(done));
                   });
}

void LocalLayer::extend_quiet(std::uint64_t blocks, Done done) {
    if (checkpoint_ != Checkpoint::none) {
        when_quiet([this, blocks, done = std::move(done)]() mutable {
            extend_quiet(blocks, std::move(done));
        });
        return;
    }
    if (failed_) {
        done(*failed_);
        return;
    }
    if (map_.extend(blocks * kBlockBytes)) {
        presence_.touch_all();
    }
    start_checkpoint(false, [this, done = std::move(done)](Status status) mutable {
        maybe_checkpoint();
        done(std::move(status));
    });
}

void LocalLayer::when_quiet(io::Callback<> then) {
    if (checkpoint_ == Checkpoint::none) {
        then();
    } else {
        quiet_waiters_.push_back(std::move(then));
    }
}

}  // namespace kiln::block
