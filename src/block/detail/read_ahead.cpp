// SPDX-License-Identifier: Apache-2.0
#include "block/detail/read_ahead.h"

#include <algorithm>

#include "block/geometry.h"

namespace kiln::block {

ReadAhead::~ReadAhead() {
    INVARIANT(in_flight_ == 0);
}

void ReadAhead::note(const Stack& stack, std::uint64_t offset, std::uint64_t length,
                     std::uint64_t size_bytes) {
    if (stopped_ || stack.base == nullptr || stack.base->root().top.zero()) {
        return;
    }
    if (base_ != stack.base) {
        base_ = stack.base;
        begin_anew();
    } else if (mark_->lost) {
        begin_anew();
    }
    const std::uint64_t end = std::min(size_bytes, base_->root().size_bytes);
    if (const auto window = streams_.note(offset, length, end)) {
        plan(stack, *window);
        pump();
    }
}

void ReadAhead::begin_anew() {
    mark_ = std::make_shared<AheadMark>();
    streams_.forget();
    pieces_.clear();
}

// The chunks of which the tree has at least a block, those that follow each other as one piece.
void ReadAhead::plan(const Stack& stack, const Streams::Window& window) {
    const std::uint64_t chunk = base_->root().geometry.chunk_bytes;
    const std::uint64_t last = (window.offset + window.length + kBlockBytes - 1) / kBlockBytes;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    for (std::uint64_t block = window.offset / kBlockBytes; block < last;) {
        const Source source = resolve(stack, block, last - block);
        if (source.kind == Source::Kind::base) {
            const std::uint64_t from = block * kBlockBytes / chunk * chunk;
            if (from > end || begin == end) {
                add(window.stream, begin, end);
                begin = from;
            }
            end = ((block + source.count) * kBlockBytes + chunk - 1) / chunk * chunk;
        }
        block += source.count;
    }
    add(window.stream, begin, end);
}

void ReadAhead::add(std::uint64_t stream, std::uint64_t begin, std::uint64_t end) {
    const std::uint64_t leaf = base_->root().geometry.leaf_bytes();
    while (begin < end) {
        const std::uint64_t length = std::min(end - begin, leaf - begin % leaf);
        pieces_.push_back({stream, begin, length});
        begin += length;
    }
}

void ReadAhead::pump() {
    while (!stopped_ && in_flight_ < kAheadLeaves && !pieces_.empty()) {
        const Piece piece = pieces_.front();
        pieces_.pop_front();
        if (!streams_.runs(piece.stream)) {
            continue;
        }
        ++in_flight_;
        base_->read_ahead(piece.offset, piece.length, mark_, [this](const Status&) {
            --in_flight_;
            pump();
            if (in_flight_ == 0 && ended_) {
                io::Callback<> ended = std::move(ended_);
                ended();
            }
        });
    }
}

void ReadAhead::stop(io::Callback<> ended) {
    INVARIANT(!stopped_ && !idle());
    stopped_ = true;
    pieces_.clear();
    ended_ = std::move(ended);
}

}  // namespace kiln::block
