// SPDX-License-Identifier: Apache-2.0
#include "block/local_layer.h"

#include "block/detail/join.h"
#include "util/log.h"

namespace kiln::block {

LocalLayer::LocalLayer(const LayerContext& context, Parts parts)
    : context_(context),
      id_(std::move(parts.id)),
      writable_(parts.writable),
      map_(context, parts.map, std::move(parts.superblock), std::move(parts.tables)),
      journal_file_(parts.journal),
      presence_(std::move(parts.state.presence)),
      journal_(context.io, context.scheduler,
               {.file = parts.journal,
                .ring_bytes = parts.ring_bytes,
                .max_ring_bytes = map_.superblock().max_ring_bytes,
                .head = map_.superblock().head.position,
                .next = parts.state.end.next,
                .last_change_seq = parts.state.last_change_seq}),
      shards_(context, id_, map_.superblock().size_bytes, map_.superblock().shard_bytes, writable_,
              presence_),
      crcs_(std::move(parts.crcs)),
      sealed_(parts.state.frozen),
      through_seq_(parts.state.through_seq),
      data_logged_(parts.state.data_logged) {
    // A process that ended may have left unsynced writes anywhere.
    for (std::uint64_t shard = 0; writable_ && shard < shards_.count(); ++shard) {
        if (presence_.any_data(shards_.blocks_of(shard))) {
            shards_.mark_dirty(shard);
        }
    }
}

LocalLayer::~LocalLayer() {
    INVARIANT(closed_);
}

void LocalLayer::fail_later(Done done, Error error) {
    context_.scheduler.post(
        [done = std::move(done), error = std::move(error)]() mutable { done(std::move(error)); });
}

bool LocalLayer::refuse(Done& done, bool change) {
    INVARIANT(!closed_);
    if (failed_) {
        fail_later(std::move(done), *failed_);
        return true;
    }
    if (change && (!writable_ || sealed_)) {
        fail_later(std::move(done),
                   Error(Code::failed_precondition, "layer " + id_.str() + " is sealed"));
        return true;
    }
    return false;
}

void LocalLayer::transfer(bool write, const ShardSet::Part& part, std::uint8_t* data, Done done) {
    shards_.use(part.shard, [this, write, part, data,
                             done = std::move(done)](Result<io::FileId> file) mutable {
        if (!file) {
            fail_later(std::move(done), std::move(file.error()));
            return;
        }
        const std::size_t bytes = part.range.count * kBlockBytes;
        auto op = write ? io::Op::write(*file, part.file_offset, {data, bytes})
                        : io::Op::read(*file, part.file_offset, {data, bytes});
        context_.io.submit(std::move(op),
                           [bytes, done = std::move(done)](Result<std::uint64_t> moved) mutable {
                               if (!moved) {
                                   done(std::move(moved.error()));
                               } else if (*moved != bytes) {
                                   done(Error(Code::data_loss, "a data file ends early"));
                               } else {
                                   done(ok());
                               }
                           });
    });
}

void LocalLayer::transfer_all(bool write, BlockRange range, std::uint8_t* data, Done done) {
    ShardSet::Part part = shards_.first_part(range);
    if (part.range.count == range.count) {
        transfer(write, part, data, std::move(done));
        return;
    }
    auto join = Join::create(std::move(done));
    while (range.count > 0) {
        part = shards_.first_part(range);
        transfer(write, part, data, join->arm());
        data += part.range.count * kBlockBytes;
        range = {part.range.end(), range.count - part.range.count};
    }
    join->ready();
}

void LocalLayer::read(BlockRange range, MutableByteView into, Done done) {
    INVARIANT(range.count > 0 && range.end() <= blocks() &&
              into.size() == range.count * kBlockBytes);
    if (refuse(done, false)) {
        return;
    }
    if (crcs_) {
        read_checked(range, into, std::move(done));
    } else {
        transfer_all(false, range, into.data(), std::move(done));
    }
}

void LocalLayer::check_reads() {
    INVARIANT(sealed_);
    if (!crcs_) {
        crcs_ = std::make_unique<DataCrcs>(context_, id_, data_crcs_of(map_.superblock()));
    }
}

// The check sums are read beside the data, where they are not at hand.
void LocalLayer::read_checked(BlockRange range, MutableByteView into, Done done) {
    if (auto page = crcs_->at_hand(range)) {
        transfer_all(false, range, into.data(),
                     [this, range, into, page = std::move(page),
                      done = std::move(done)](Status status) mutable {
                         done(status ? compare(range, into, {&page, 1}) : told(std::move(status)));
                     });
        return;
    }
    auto pages = std::make_shared<DataCrcs::Pages>();
    auto& place = *pages;
    const auto join = Join::create([this, range, into, pages = std::move(pages),
                                    done = std::move(done)](Status status) mutable {
        done(status ? compare(range, into, *pages) : told(std::move(status)));
    });
    crcs_->fetch(range, place, join->arm());
    transfer_all(false, range, into.data(), join->arm());
    join->ready();
}

Status LocalLayer::compare(BlockRange range, ByteView bytes,
                           std::span<const DataCrcs::PageRef> pages) {
    return told(crcs_->check(range, bytes, pages));
}

// The first damage of a layer stands in the log.
Status LocalLayer::told(Status status) {
    if (!status && status.error().code() == Code::data_loss && !mismatch_told_) {
        mismatch_told_ = true;
        log_error("block", status.error().message());
    }
    return status;
}

void LocalLayer::write(BlockRange range, ByteView from, Done done) {
    INVARIANT(range.count > 0 && range.end() <= blocks() &&
              from.size() == range.count * kBlockBytes);
    if (refuse(done, true)) {
        return;
    }
    if (!take_space(range)) {
        fail_later(std::move(done), Error(Code::out_of_space, "only the reserve is left"));
        return;
    }
    // transfer() only reads these bytes.
    transfer_all(true, range, const_cast<std::uint8_t*>(from.data()),
                 [this, range, copy = retained_.hold(range, from),
                  done = std::move(done)](Status status) mutable {
                     data_written(range, copy, std::move(status), std::move(done));
                 });
}

bool LocalLayer::take_space(BlockRange range) {
    if (context_.space == nullptr) {
        return true;
    }
    std::uint64_t missing = 0;
    for (BlockRange rest = range; rest.count > 0;) {
        const BlockRun run = presence_.run(rest.first, rest.count);
        missing += run.state == BlockState::data ? 0 : run.count;
        rest = {rest.first + run.count, rest.count - run.count};
    }
    return missing == 0 || context_.space->take(missing * kBlockBytes);
}

void LocalLayer::data_written(BlockRange range, const std::optional<Bytes>& copy, Status status,
                              Done done) {
    for (BlockRange rest = range; rest.count > 0;) {
        const auto part = shards_.first_part(rest);
        shards_.mark_dirty(part.shard);
        rest = {part.range.end(), rest.count - part.range.count};
    }
    retained_.written(range, copy, static_cast<bool>(status));
    if (!status) {
        ++version_;  // part of it may be there, and whoever reads that may have it flushed
        done(std::move(status));
        return;
    }
    const auto missing = presence_.without(range, BlockState::data);
    if (missing.empty()) {
        changed(std::move(done), ok());
        return;
    }
    journal_.append_runs(RecordType::set, missing,
                         [this, range, done = std::move(done)](Status written) mutable {
                             if (written) {
                                 presence_.set(range, BlockState::data);
                             }
                             changed(std::move(done), std::move(written));
                         });
    maybe_checkpoint();
}

void LocalLayer::changed(Done done, Status status) {
    if (status) {
        ++version_;
    } else if (status.error().code() == Code::io_error) {
        fatal(status.error());
    }
    done(std::move(status));
}

void LocalLayer::zero(BlockRange range, Done done) {
    INVARIANT(range.count > 0 && range.end() <= blocks());
    if (refuse(done, true)) {
        return;
    }
    if (presence_.without(range, BlockState::zero).empty()) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    journal_.append_runs(RecordType::zero, {range},
                         [this, range, done = std::move(done)](Status written) mutable {
                             if (!written) {
                                 changed(std::move(done), std::move(written));
                                 return;
                             }
                             const auto data = presence_.with(range, BlockState::data);
                             presence_.set(range, BlockState::zero);
                             // Acknowledged after the holes: the volume keeps the range locked
                             // until then, so no later write loses bytes.
                             punch(data, [this, done = std::move(done)](Status) mutable {
                                 changed(std::move(done), ok());
                             });
                         });
    maybe_checkpoint();
}

void LocalLayer::punch(const std::vector<BlockRange>& ranges, Done done) {
    auto join = Join::create(std::move(done));
    for (BlockRange range : ranges) {
        while (range.count > 0) {
            const auto part = shards_.first_part(range);
            range = {part.range.end(), range.count - part.range.count};
            shards_.use(
                part.shard, [this, part, done = join->arm_io()](Result<io::FileId> file) mutable {
                    // Only space is at stake: the blocks are zero by their bits whether this works
                    // or not.
                    if (!file) {
                        context_.scheduler.post([done = std::move(done)]() mutable { done(0); });
                        return;
                    }
                    context_.io.submit(
                        io::Op::punch(*file, part.file_offset, part.range.count * kBlockBytes),
                        std::move(done));
                });
        }
    }
    join->ready();
}

void LocalLayer::append_boot(Done done) {
    journal_.append(Record{.type = RecordType::boot, .boot_id = context_.boot_id}, std::move(done));
}

void LocalLayer::fatal(const Error& error) {
    if (!failed_) {
        failed_ =
            Error(Code::io_error, "layer " + id_.str() + " failed earlier: " + error.message());
        log_error("block", failed_->message());
        journal_.refuse_waiting(*failed_);
    }
}

}  // namespace kiln::block
