// SPDX-License-Identifier: Apache-2.0
// Ids the block engine is given by its callers. Their text also names files, so it is limited to
// lower-case letters, digits and '-' (valid_id). Thread model: plain values.
#pragma once

#include <string_view>

#include "util/id.h"

namespace kiln::block {

using LayerId = StrongId<struct LayerIdTag>;
using ContentId = StrongId<struct ContentIdTag>;
using VolumeId = StrongId<struct VolumeIdTag>;

// The field in superblock and journal header has 64 bytes and ends with a zero.
inline constexpr std::size_t kMaxIdBytes = 63;

inline bool valid_id(std::string_view text) {
    if (text.empty() || text.size() > kMaxIdBytes || text.front() == '-') {
        return false;
    }
    for (const char c : text) {
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

}  // namespace kiln::block
