// SPDX-License-Identifier: Apache-2.0
#include "compute/network/loopback_pool.h"

#include <memory>
#include <vector>

#include "compute/network/abstract_name.h"
#include "compute/network/loopback_block.h"
#include "util/fs.h"

namespace kiln::compute {
namespace {

constexpr std::uint8_t kBlockPrefix = 24;

}  // namespace

bool LoopbackPool::is_ours(const Cidr& block) {
    const auto found = blocks_.find(block);
    if (found != blocks_.end()) {
        return found->second;
    }
    return blocks_[block] = claim_(block);
}

Result<Ipv4> LoopbackPool::take() {
    MutexLock lock(mutex_);
    const auto is_used = [&](Ipv4 address) REQUIRES(mutex_) { return used_.contains(address); };
    std::optional<Ipv4> address;
    const auto is_full = [&](const Cidr& block) REQUIRES(mutex_) {
        address = is_ours(block) ? free_loopback_address(block, is_used) : std::nullopt;
        return !address;
    };
    TRY(choose_loopback_block(store_uuid_, is_full));
    used_.insert(*address);
    return *address;
}

void LoopbackPool::hold(Ipv4 address) {
    MutexLock lock(mutex_);
    static_cast<void>(is_ours(Cidr::around(address, kBlockPrefix)));
    used_.insert(address);
}

void LoopbackPool::give_back(Ipv4 address) {
    MutexLock lock(mutex_);
    used_.erase(address);
}

LoopbackPool::Claim claim_by_socket() {
    auto held = std::make_shared<std::vector<UniqueFd>>();
    return [held](const Cidr& block) {
        UniqueFd fd = claim_abstract_name("kiln-loopback-" + block.base.text());
        if (!fd) {
            return false;
        }
        held->push_back(std::move(fd));
        return true;
    };
}

}  // namespace kiln::compute
