// SPDX-License-Identifier: Apache-2.0
#include "block/memory_layer.h"

#include "block/geometry.h"
#include "util/check.h"

namespace kiln::block {

MemoryLayer::MemoryLayer(io::Scheduler& scheduler, std::uint64_t size_bytes)
    : scheduler_(scheduler), presence_(size_bytes / kBlockBytes, Geometry{}.page_blocks) {}

void MemoryLayer::finish(Done done, Status status) {
    scheduler_.post([done = std::move(done), status = std::move(status)]() mutable {
        done(std::move(status));
    });
}

void MemoryLayer::extend(std::uint64_t blocks, Done done) {
    if (sealed_) {
        finish(std::move(done), Error(Code::failed_precondition, "the layer is sealed"));
        return;
    }
    presence_.extend(std::max(blocks, presence_.blocks()));
    finish(std::move(done), ok());
}

void MemoryLayer::read(BlockRange range, MutableByteView into, Done done) {
    INVARIANT(range.end() <= blocks() && into.size() == range.count * kBlockBytes);
    for (std::uint64_t i = 0; i < range.count; ++i) {
        const auto found = data_.find(range.first + i);
        INVARIANT(found != data_.end());
        std::memcpy(into.data() + i * kBlockBytes, found->second.data(), kBlockBytes);
    }
    finish(std::move(done), ok());
}

void MemoryLayer::write(BlockRange range, ByteView from, Done done) {
    INVARIANT(range.end() <= blocks() && from.size() == range.count * kBlockBytes);
    if (sealed_) {
        finish(std::move(done), Error(Code::failed_precondition, "the layer is sealed"));
        return;
    }
    for (std::uint64_t i = 0; i < range.count; ++i) {
        const ByteView block = from.subspan(i * kBlockBytes, kBlockBytes);
        data_[range.first + i].assign(block.begin(), block.end());
    }
    presence_.set(range, BlockState::data);
    ++version_;
    finish(std::move(done), ok());
}

void MemoryLayer::zero(BlockRange range, Done done) {
    INVARIANT(range.end() <= blocks());
    if (sealed_) {
        finish(std::move(done), Error(Code::failed_precondition, "the layer is sealed"));
        return;
    }
    for (const BlockRange part : presence_.with(range, BlockState::data)) {
        for (std::uint64_t i = 0; i < part.count; ++i) {
            data_.erase(part.first + i);
        }
    }
    presence_.set(range, BlockState::zero);
    ++version_;
    finish(std::move(done), ok());
}

void MemoryLayer::flush(std::uint64_t, Done done) {
    finish(std::move(done), ok());
}

void MemoryLayer::seal(Freeze, Done done) {
    if (sealed_) {
        finish(std::move(done), Error(Code::failed_precondition, "the layer is sealed"));
        return;
    }
    sealed_ = true;
    ++version_;
    finish(std::move(done), ok());
}

void MemoryLayer::close(Done done) {
    finish(std::move(done), ok());
}

void MemoryLayer::drop(Done done) {
    data_.clear();
    finish(std::move(done), ok());
}

}  // namespace kiln::block
