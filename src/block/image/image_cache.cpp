// SPDX-License-Identifier: Apache-2.0
#include "block/image/image_cache.h"

#include <algorithm>

namespace kiln::block {
namespace {

constexpr std::size_t kRecentPart = 4;
constexpr std::size_t kAheadPart = 4;
// A key is remembered for so many bytes of the limit: with chunks of 64 KiB those of twice the
// limit, for less than a hundredth of it.
constexpr std::size_t kBytesPerKey = 32U << 10;
constexpr std::size_t kLeastKeys = 8;

}  // namespace

// The list and map nodes around the bytes count too: leaves are small.
std::size_t ImageCache::cost(const Item& item) {
    return item.bytes->size() + 256;
}

BytesPtr ImageCache::find(const ChunkKey& key) {
    MutexLock lock(mutex_);
    const auto at = index_.find(key);
    if (at == index_.end()) {
        return nullptr;
    }
    const auto item = at->second;
    if (item->part == Part::frequent) {
        move(item, Part::frequent);
    } else if (item->part == Part::ahead) {
        counters_.used += item->bytes->size();
        item->mark.reset();
        move(item, first_part(key));
    }
    return item->bytes;
}

void ImageCache::put(const ChunkKey& key, BytesPtr bytes) {
    MutexLock lock(mutex_);
    if (index_.contains(key)) {
        return;
    }
    insert({key, std::move(bytes), first_part(key)});
}

ImageCache::Part ImageCache::first_part(const ChunkKey& key) {
    const auto gone = gone_index_.find(key);
    if (gone == gone_index_.end()) {
        return Part::recent;
    }
    gone_.erase(gone->second);
    gone_index_.erase(gone);
    return Part::frequent;
}

void ImageCache::put_ahead(const ChunkKey& key, BytesPtr bytes, AheadMarkPtr mark) {
    MutexLock lock(mutex_);
    if (index_.contains(key)) {
        return;
    }
    counters_.bytes += bytes->size();
    insert({key, std::move(bytes), Part::ahead, std::move(mark)});
}

void ImageCache::count_joined(std::size_t bytes) {
    MutexLock lock(mutex_);
    counters_.bytes += bytes;
    counters_.used += bytes;
}

bool ImageCache::contains(const ChunkKey& key) const {
    MutexLock lock(mutex_);
    return index_.contains(key);
}

std::size_t ImageCache::bytes() const {
    MutexLock lock(mutex_);
    return bytes_;
}

AheadCounters ImageCache::ahead() const {
    MutexLock lock(mutex_);
    return counters_;
}

void ImageCache::insert(Item item) {
    Segment& to = segment(item.part);
    const std::size_t more = cost(item);
    to.items.push_front(std::move(item));
    index_[to.items.front().key] = to.items.begin();
    to.bytes += more;
    bytes_ += more;
    shrink();
}

void ImageCache::move(std::list<Item>::iterator item, Part to) {
    Segment& old = segment(item->part);
    Segment& now = segment(to);
    old.bytes -= cost(*item);
    now.bytes += cost(*item);
    item->part = to;
    now.items.splice(now.items.begin(), old.items, item);
}

void ImageCache::drop_last(Part part) {
    Segment& from = segment(part);
    Item& item = from.items.back();
    if (part == Part::recent) {
        remember(item.key);
    } else if (part == Part::ahead) {
        counters_.wasted += item.bytes->size();
        item.mark->lost = true;
    }
    from.bytes -= cost(item);
    bytes_ -= cost(item);
    index_.erase(item.key);
    from.items.pop_back();
}

void ImageCache::remember(const ChunkKey& key) {
    gone_.push_front(key);
    gone_index_[key] = gone_.begin();
    if (gone_.size() > std::max(limit_ / kBytesPerKey, kLeastKeys)) {
        gone_index_.erase(gone_.back());
        gone_.pop_back();
    }
}

void ImageCache::shrink() {
    while (segment(Part::ahead).bytes > limit_ / kAheadPart) {
        drop_last(Part::ahead);
    }
    while (bytes_ > limit_) {
        const Segment& recent = segment(Part::recent);
        const bool frequent = !segment(Part::frequent).items.empty();
        if (recent.bytes > limit_ / kRecentPart || (!frequent && !recent.items.empty())) {
            drop_last(Part::recent);
        } else {
            drop_last(frequent ? Part::frequent : Part::ahead);
        }
    }
}

}  // namespace kiln::block
