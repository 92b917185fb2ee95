// SPDX-License-Identifier: Apache-2.0
#include "block/detail/shards.h"

#include <algorithm>

#include "block/detail/join.h"

namespace kiln::block {

ShardSet::ShardSet(const LayerContext& context, LayerId layer, std::uint64_t size_bytes,
                   std::uint64_t shard_bytes, bool writable, const PresenceMap& presence)
    : context_(context),
      layer_(std::move(layer)),
      size_bytes_(size_bytes),
      shard_bytes_(shard_bytes),
      count_((size_bytes + shard_bytes - 1) / shard_bytes),
      writable_(writable),
      presence_(presence),
      names_dirty_(writable) {}

ShardSet::Part ShardSet::first_part(BlockRange range) const {
    const std::uint64_t blocks = shard_bytes_ / kBlockBytes;
    const std::uint64_t shard = range.first / blocks;
    const std::uint64_t in_shard = range.first % blocks;
    return {shard, {range.first, std::min(range.count, blocks - in_shard)}, in_shard * kBlockBytes};
}

std::uint64_t ShardSet::bytes_of(std::uint64_t shard) const {
    return std::min(shard_bytes_, size_bytes_ - shard * shard_bytes_);
}

BlockRange ShardSet::blocks_of(std::uint64_t shard) const {
    return {shard * (shard_bytes_ / kBlockBytes), bytes_of(shard) / kBlockBytes};
}

void ShardSet::set_size(std::uint64_t size_bytes) {
    size_bytes_ = size_bytes;
    count_ = (size_bytes + shard_bytes_ - 1) / shard_bytes_;
}

void ShardSet::extend(std::uint64_t size_bytes, Done done) {
    const std::uint64_t last = count_ - 1;
    const std::uint64_t length = std::min(shard_bytes_, size_bytes - last * shard_bytes_);
    const bool there = shards_.contains(last) || presence_.any_data(blocks_of(last));
    if (length == bytes_of(last) || !there) {
        set_size(size_bytes);  // whoever makes the file gives it that length
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    use(last,
        [this, last, size_bytes, length, done = std::move(done)](Result<io::FileId> file) mutable {
            if (!file) {
                context_.scheduler.post(
                    [done = std::move(done), error = std::move(file.error())]() mutable {
                        done(std::move(error));
                    });
                return;
            }
            context_.io.submit(io::Op::truncate(*file, length),
                               [this, last, size_bytes,
                                done = std::move(done)](Result<std::uint64_t> grown) mutable {
                                   // Synced by the next flush, not here: of two syncs at once one
                                   // may fail, and the other say that all is well.
                                   mark_dirty(last);
                                   if (grown) {
                                       set_size(size_bytes);
                                   }
                                   done(grown ? ok() : Status(std::move(grown.error())));
                               });
        });
}

void ShardSet::use(std::uint64_t number, io::Callback<Result<io::FileId>> ready) {
    Shard& shard = shards_[number];
    if (shard.open) {
        ready(shard.file);
        return;
    }
    shard.waiting.push_back(std::move(ready));
    if (shard.waiting.size() > 1) {
        return;
    }
    const bool may_create = writable_ && !presence_.any_data(blocks_of(number));
    if (may_create) {
        unsynced_files_.insert(number);  // or the process before made it
    }
    context_.io.submit(
        io::Op::open(shard_path(context_, layer_, number),
                     {.write = writable_, .create = may_create, .direct = true}),
        [this, number](Result<std::uint64_t> result) { opened(number, std::move(result)); });
}

void ShardSet::opened(std::uint64_t number, Result<std::uint64_t> result) {
    if (!result) {
        const bool missing = result.error().code() == Code::not_found;
        finish(number, missing ? Error(Code::data_loss,
                                       "a data file of layer " + layer_.str() + " is missing")
                               : std::move(result.error()));
        return;
    }
    shards_[number].file = io::FileId{static_cast<std::int64_t>(*result)};
    context_.io.submit(
        io::Op::size(shards_[number].file),
        [this, number](Result<std::uint64_t> size) { check_size(number, std::move(size)); });
}

void ShardSet::check_size(std::uint64_t number, Result<std::uint64_t> size) {
    if (!size) {
        finish(number, std::move(size.error()));
        return;
    }
    if (*size >= bytes_of(number) && *size <= shard_bytes_) {
        finish(number, ok());
        return;
    }
    if (!writable_ || presence_.any_data(blocks_of(number))) {
        finish(number, Error(Code::data_loss, "a data file of layer " + layer_.str() + " has " +
                                                  std::to_string(*size) + " bytes instead of " +
                                                  std::to_string(bytes_of(number))));
        return;
    }
    // New, or left from a creation that a loss of power cut short. From 0 again, so that it holds
    // nothing.
    names_dirty_ = true;
    context_.io.submit(
        io::Op::truncate(shards_[number].file, 0), [this, number](Result<std::uint64_t> cut) {
            if (!cut) {
                finish(number, std::move(cut.error()));
                return;
            }
            context_.io.submit(io::Op::truncate(shards_[number].file, bytes_of(number)),
                               [this, number](Result<std::uint64_t> grown) {
                                   finish(number, grown ? ok() : Status(std::move(grown.error())));
                               });
        });
}

void ShardSet::finish(std::uint64_t number, Status status) {
    Shard& shard = shards_[number];
    auto waiting = std::move(shard.waiting);
    shard.waiting.clear();
    const io::FileId file = shard.file;
    if (status) {
        shard.open = true;
    } else {
        if (file.valid()) {
            context_.io.submit(io::Op::close(file), [](Result<std::uint64_t>) {});
        }
        shards_.erase(number);
    }
    for (auto& ready : waiting) {
        ready(status ? Result<io::FileId>(file) : Result<io::FileId>(status.error()));
    }
}

bool ShardSet::files_durable() const {
    return !names_dirty_ && std::ranges::none_of(dirty_, [this](std::uint64_t number) {
        return unsynced_files_.contains(number);
    });
}

void ShardSet::sync_dirty(Done done) {
    auto join = Join::create(std::move(done));
    auto dirty = std::move(dirty_);
    dirty_.clear();
    for (const std::uint64_t number : dirty) {
        use(number, [this, number, done = join->arm()](Result<io::FileId> file) mutable {
            if (!file) {
                done(std::move(file.error()));
                return;
            }
            context_.io.submit(io::Op::sync_data(*file), [this, number, done = std::move(done)](
                                                             Result<std::uint64_t> result) mutable {
                if (result) {
                    unsynced_files_.erase(number);
                }
                done(result ? ok() : Status(std::move(result.error())));
            });
        });
    }
    if (names_dirty_) {
        names_dirty_ = false;
        context_.io.submit(io::Op::sync_dir(context_.directory), join->arm_io());
    }
    join->ready();
}

void ShardSet::close(Done done) {
    auto join = Join::create(std::move(done));
    for (auto& [number, shard] : shards_) {
        INVARIANT(shard.open);
        context_.io.submit(io::Op::close(shard.file), join->arm_io());
    }
    shards_.clear();
    join->ready();
}

}  // namespace kiln::block
