// SPDX-License-Identifier: Apache-2.0
#include "compute/network/loopback_pool.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <memory>
#include <vector>

#include "compute/network/loopback_block.h"
#include "util/fs.h"

namespace kiln::compute {
namespace {

constexpr std::uint8_t kBlockPrefix = 24;

UniqueFd bind_name(const std::string& name) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // The zero byte at the front makes it a name without a file.
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        return UniqueFd();
    }
    return fd;
}

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
        UniqueFd fd = bind_name("kiln-loopback-" + block.base.text());
        if (!fd) {
            return false;
        }
        held->push_back(std::move(fd));
        return true;
    };
}

}  // namespace kiln::compute
