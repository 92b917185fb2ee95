// SPDX-License-Identifier: Apache-2.0
// A disk of 64 MiB as the sectors that are not zeros: records of u32 number (little-endian) and 512
// bytes. The corpus of the layout fuzz target consists of such files, cut from disks made by
// sfdisk and mtools. Thread model: plain value.
#pragma once

#include <algorithm>
#include <map>

#include "disks/layout.h"
#include "util/check.h"

namespace kiln::disks::testing {

class SectorDisk {
  public:
    static constexpr std::uint64_t kBytes = 64U << 20;
    static constexpr std::size_t kSector = 512;

    explicit SectorDisk(ByteView records) {
        while (records.size() > 4) {
            const auto number = get_le<std::uint32_t>(records.data());
            records = records.subspan(4);
            const std::size_t length = std::min(kSector, records.size());
            Bytes bytes(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(length));
            bytes.resize(kSector, 0);
            sectors_[number] = std::move(bytes);
            records = records.subspan(length);
        }
    }
    // Breaks the invariant when it is asked for what lies outside.
    ReadAt reader() {
        return [this](std::uint64_t offset, MutableByteView into) {
            INVARIANT(offset <= kBytes && into.size() <= kBytes - offset);
            ++reads_;
            for (std::size_t i = 0; i < into.size();) {
                const std::uint64_t at = offset + i;
                const std::size_t inside = at % kSector;
                const std::size_t part = std::min(into.size() - i, kSector - inside);
                const auto found = sectors_.find(at / kSector);
                const auto to = into.subspan(i, part).begin();
                if (found == sectors_.end()) {
                    std::fill_n(to, part, std::uint8_t{0});
                } else {
                    std::copy_n(found->second.begin() + static_cast<std::ptrdiff_t>(inside), part,
                                to);
                }
                i += part;
            }
            return ok();
        };
    }
    Bytes& sector(std::uint64_t number) { return sectors_.at(number); }
    std::size_t reads() const { return reads_; }

  private:
    std::map<std::uint64_t, Bytes> sectors_;
    std::size_t reads_ = 0;
};

}  // namespace kiln::disks::testing
