// SPDX-License-Identifier: Apache-2.0
#include "compute/network/loopback_block.h"

#include "util/crc32c.h"

namespace kiln::compute {
namespace {

// 127.1.0.0/24 to 127.254.255.0/24.
constexpr std::uint32_t kFirstBlock = 0x7f010000;
constexpr std::uint32_t kBlocks = 254 * 256;

}  // namespace

Result<Cidr> choose_loopback_block(std::string_view store_uuid,
                                   const std::function<bool(const Cidr&)>& taken) {
    const std::uint32_t first = crc32c(as_bytes(store_uuid)) % kBlocks;
    for (std::uint32_t i = 0; i < kBlocks; ++i) {
        const Cidr block{{kFirstBlock + ((first + i) % kBlocks << 8)}, 24};
        if (!taken(block)) {
            return block;
        }
    }
    return Error(Code::resource_exhausted, "every block of loopback addresses is taken");
}

std::optional<Ipv4> free_loopback_address(const Cidr& block,
                                          const std::function<bool(Ipv4)>& used) {
    // 0 and 255 look like the network and its broadcast address to some programs.
    for (std::uint32_t host = 1; host < 255; ++host) {
        const Ipv4 address{block.base.value + host};
        if (!used(address)) {
            return address;
        }
    }
    return std::nullopt;
}

}  // namespace kiln::compute
