// SPDX-License-Identifier: Apache-2.0
// The ends of a LocalLayer: seal, close and drop. Each waits for the checkpoint under way; seal and
// close take one where the journal is long, so that the next open is quick.
#include "block/detail/join.h"
#include "block/local_layer.h"

namespace kiln::block {

void LocalLayer::seal(Freeze evidence, Done done) {
    if (refuse(done, true)) {
        return;
    }
    ending_ = true;
    when_quiet([this, evidence = std::move(evidence), done = std::move(done)]() mutable {
        if (failed_ || !replay_is_long()) {
            freeze(std::move(evidence), std::move(done));
            return;
        }
        start_checkpoint(
            false, [this, evidence = std::move(evidence), done = std::move(done)](Status) mutable {
                // Also without: a full device keeps nobody from sealing.
                freeze(std::move(evidence), std::move(done));
            });
    });
}

void LocalLayer::freeze(Freeze evidence, Done done) {
    flush_in_place([this, evidence = std::move(evidence),
                    done = std::move(done)](Status flushed) mutable {
        if (!flushed) {
            done(std::move(flushed));
            return;
        }
        journal_.append(Record{.type = RecordType::freeze, .freeze = std::move(evidence)},
                        [this, done = std::move(done)](Status written) mutable {
                            if (!written) {
                                changed(std::move(done), std::move(written));
                                return;
                            }
                            sealed_ = true;
                            if (!context_.durable) {
                                give_back_ring(std::move(done));
                                return;
                            }
                            journal_.sync([this, done = std::move(done)](Status synced) mutable {
                                if (synced) {
                                    give_back_ring(std::move(done));
                                } else {
                                    changed(std::move(done), std::move(synced));
                                }
                            });
                        });
    });
}

// A sealed layer needs no more of its ring than the records that an open reads.
void LocalLayer::give_back_ring(Done done) {
    const auto down = [](std::uint64_t place) { return place / kBlockBytes * kBlockBytes; };
    const auto up = [&](std::uint64_t place) { return down(place + kBlockBytes - 1); };
    const std::uint64_t ring = journal_.ring_bytes();
    const std::uint64_t head = journal_.place(journal_.head());
    const std::uint64_t end = head + journal_.used();
    // Behind the records, then before them; where they lie across the ring's end only between.
    const std::pair<std::uint64_t, std::uint64_t> free[] = {
        {up(end > ring ? end - ring : end), end > ring ? down(head) : ring},
        {0, end > ring ? 0 : down(head)}};
    // Only space is at stake.
    auto join = Join::create(
        [this, done = std::move(done)](Status) mutable { changed(std::move(done), ok()); });
    for (const auto& [from, to] : free) {
        if (from < to) {
            context_.io.submit(io::Op::punch(journal_file_, kJournalHeaderBytes + from, to - from),
                               join->arm_io());
        }
    }
    join->ready();
}

void LocalLayer::close(Done done) {
    INVARIANT(!closed_);
    ending_ = true;
    when_quiet([this, done = std::move(done)]() mutable {
        if (!writable_ || failed_ || sealed_ || !replay_is_long()) {
            write_floor(std::move(done));
            return;
        }
        start_checkpoint(false, [this, done = std::move(done)](Status) mutable {
            if (!failed_) {
                write_floor(std::move(done));
                return;
            }
            close_files([error = *failed_, done = std::move(done)](Status) mutable {
                done(std::move(error));
            });
        });
    });
}

// From now on a journal that ends earlier is known to be damaged.
void LocalLayer::write_floor(Done done) {
    INVARIANT(!flushing_ && journal_.idle());
    const std::uint64_t floor_seq = journal_.written_seq();
    // That of a sealed layer is its seal; its superblock may be being written by another.
    if (!writable_ || failed_ || sealed_ || floor_seq == map_.superblock().floor_seq) {
        close_files(std::move(done));
        return;
    }
    const auto write = [this, floor_seq](Done then) {
        Superblock next = map_.superblock();
        next.floor_seq = floor_seq;
        map_.write_superblock(std::move(next), std::move(then));
    };
    Done close_then = [this, done = std::move(done)](Status written) mutable {
        close_files([written = std::move(written), done = std::move(done)](Status closed) mutable {
            done(written ? std::move(closed) : std::move(written));
        });
    };
    if (!context_.durable || journal_.synced_seq() >= floor_seq) {
        write(std::move(close_then));
        return;
    }
    // The floor may only name what is on the device: the journal first.
    journal_.sync([write, then = std::move(close_then)](Status synced) mutable {
        if (synced) {
            write(std::move(then));
        } else {
            then(std::move(synced));
        }
    });
}

void LocalLayer::drop(Done done) {
    ending_ = true;
    when_quiet([this, done = std::move(done)]() mutable {
        close_files([this, done = std::move(done)](Status closed) mutable {
            if (!closed) {
                done(std::move(closed));
                return;
            }
            remove_layer_files(context_, id_, std::move(done));
        });
    });
}

void LocalLayer::close_files(Done done) {
    closed_ = true;
    auto join = Join::create(std::move(done));
    shards_.close(join->arm());
    if (crcs_) {
        crcs_->close(join->arm());
    }
    context_.io.submit(io::Op::close(journal_file_), join->arm_io());
    context_.io.submit(io::Op::close(map_.file()), join->arm_io());
    join->ready();
}

}  // namespace kiln::block
