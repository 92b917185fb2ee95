// SPDX-License-Identifier: Apache-2.0
#include "block/detail/streams.h"

#include <algorithm>

namespace kiln::block {

std::optional<Streams::Window> Streams::note(std::uint64_t offset, std::uint64_t length,
                                             std::uint64_t end) {
    ++reads_;
    std::erase_if(streams_,
                  [this](const Stream& stream) { return reads_ - stream.last > limits_.patience; });
    Stream* stream = find(offset);
    if (stream == nullptr) {
        begin(offset + length);
        return std::nullopt;
    }
    stream->last = reads_;
    stream->next = std::max(stream->next, offset + length);
    if (stream->window == 0 && ++stream->hits < limits_.hits) {
        return std::nullopt;
    }
    if (stream->window == 0) {
        // Whoever was not read since this one began has gone elsewhere: here, perhaps.
        const Stream mine = *stream;
        std::erase_if(streams_, [&](const Stream& other) { return other.last < mine.begun; });
        stream = &*std::ranges::find(streams_, mine.id, &Stream::id);
    }
    return next_window(*stream, end);
}

// Exactly at its end, or near a running one's.
Streams::Stream* Streams::find(std::uint64_t offset) {
    const auto exact = std::ranges::find(streams_, offset, &Stream::next);
    if (exact != streams_.end()) {
        return &*exact;
    }
    const auto near = std::ranges::find_if(streams_, [&](const Stream& stream) {
        const std::uint64_t distance =
            offset > stream.next ? offset - stream.next : stream.next - offset;
        return stream.window > 0 && distance <= limits_.slack_bytes;
    });
    return near == streams_.end() ? nullptr : &*near;
}

void Streams::begin(std::uint64_t next) {
    if (streams_.size() >= limits_.streams) {
        const auto earlier = [](const Stream& a, const Stream& b) {
            return (a.window > 0) != (b.window > 0) ? a.window == 0 : a.last < b.last;
        };
        streams_.erase(std::ranges::min_element(streams_, earlier));
    }
    streams_.push_back({.id = ++ids_, .next = next, .begun = reads_, .last = reads_});
}

// Its share of most_bytes, as far as the others leave that.
std::uint64_t Streams::room_for(const Stream& stream) const {
    std::uint64_t taken = 0;
    std::uint64_t running = 1;
    for (const Stream& other : streams_) {
        if (other.id != stream.id && other.window > 0) {
            taken += other.ahead();
            ++running;
        }
    }
    return std::min(limits_.most_bytes / running,
                    limits_.most_bytes - std::min(limits_.most_bytes, taken));
}

std::optional<Streams::Window> Streams::next_window(Stream& stream, std::uint64_t end) {
    const bool runs = stream.window > 0;
    if (runs && stream.ahead() > stream.window / 2) {
        return std::nullopt;
    }
    const std::uint64_t wanted = runs ? 2 * stream.window : limits_.first_bytes;
    const std::uint64_t window = std::min(wanted, room_for(stream));
    const std::uint64_t from = std::max(stream.next, stream.named);
    const std::uint64_t until = std::min(stream.next + window, std::max(end, from));
    // Not by drops, where others take the room.
    if (until <= from || (until < end && until - from < limits_.first_bytes / 2)) {
        return std::nullopt;
    }
    stream.window = window;
    stream.named = until;
    return Window{stream.id, from, until - from};
}

bool Streams::runs(std::uint64_t stream) const {
    return std::ranges::any_of(
        streams_, [stream](const Stream& one) { return one.id == stream && one.window > 0; });
}

}  // namespace kiln::block
