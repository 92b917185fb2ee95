// SPDX-License-Identifier: Apache-2.0
#include "block/image/image_cache.h"

namespace kiln::block {

// The list and map nodes around the bytes count too: leaves are small.
std::size_t ImageCache::cost(const Item& item) {
    return item.bytes->size() + 256;
}

BytesPtr ImageCache::find(const ChunkKey& key) {
    const auto at = index_.find(key);
    if (at == index_.end()) {
        return nullptr;
    }
    items_.splice(items_.begin(), items_, at->second);
    return at->second->bytes;
}

void ImageCache::put(const ChunkKey& key, BytesPtr bytes) {
    if (index_.contains(key)) {
        return;
    }
    items_.push_front({key, std::move(bytes)});
    index_[key] = items_.begin();
    bytes_ += cost(items_.front());
    while (bytes_ > limit_) {
        bytes_ -= cost(items_.back());
        index_.erase(items_.back().key);
        items_.pop_back();
    }
}

}  // namespace kiln::block
