// SPDX-License-Identifier: Apache-2.0
#include "api/console/console_links.h"

#include <algorithm>
#include <array>

#include "crypto/hash.h"
#include "util/encoding.h"

namespace kiln::api {

std::string ConsoleLinks::create(const ConsoleGuest& guest) {
    std::array<std::uint8_t, 32> random{};
    rng_.fill(random);
    const std::string token = hex_encode(random);
    MutexLock lock(mutex_);
    forget_ended();
    if (links_.size() >= kMaxUnused) {
        links_.erase(std::min_element(
            links_.begin(), links_.end(),
            [](const auto& a, const auto& b) { return a.second.end < b.second.end; }));
    }
    links_[crypto::sha256_hex(as_bytes(token))] = {guest, clock_.monotonic() + kLifetime};
    return "/console/#/session/" + token;
}

std::optional<ConsoleGuest> ConsoleLinks::redeem(const std::string& token) {
    const std::string hash = crypto::sha256_hex(as_bytes(token));
    MutexLock lock(mutex_);
    forget_ended();
    const auto link = links_.find(hash);
    if (link == links_.end()) {
        return std::nullopt;
    }
    ConsoleGuest guest = std::move(link->second.guest);
    links_.erase(link);
    return guest;
}

void ConsoleLinks::forget_ended() {
    const auto now = clock_.monotonic();
    std::erase_if(links_, [&](const auto& link) { return link.second.end <= now; });
}

}  // namespace kiln::api
