// SPDX-License-Identifier: Apache-2.0
// DataPage: where an open volume may hold bytes other than zeros, piece by piece. Thread model:
// plain values.
#pragma once

#include <cstdint>
#include <vector>

namespace kiln::block {

struct DataRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    friend bool operator==(const DataRange&, const DataRange&) = default;
};

// Ranges of whole blocks, ascending and apart. What no range covers, from the offset asked for up
// to `end`, is zeros; there the next page begins, unless the volume ends there.
struct DataPage {
    std::vector<DataRange> ranges;
    std::uint64_t end = 0;
};

}  // namespace kiln::block
