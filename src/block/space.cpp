// SPDX-License-Identifier: Apache-2.0
#include "block/space.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>

#include "util/bytes.h"
#include "util/strings.h"

namespace kiln::block {
namespace {

// With less than a tenth left for data, a service is better told so at its start.
constexpr unsigned kMaxPercent = 90;
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();

struct Unit {
    std::string_view name;
    unsigned shift;
};
constexpr Unit kUnits[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"K", 10},
                           {"M", 20},   {"G", 30},   {"T", 40},   {"", 0}};

Error bad_reserve(std::string_view text) {
    return Error(
        Code::invalid_argument,
        "a reserve is a size, as 2GiB or 500M, or 0% to 90%; not '" + std::string(text) + "'");
}

}  // namespace

SpaceProbe space_of(std::string directory) {
    return [directory = std::move(directory)]() -> Result<Space> {
        struct statvfs found {};
        if (::statvfs(directory.c_str(), &found) != 0) {
            return Error::from_errno(errno, "measure the file system of " + directory);
        }
        const std::uint64_t unit = found.f_frsize;
        return Space{found.f_bavail * unit, found.f_blocks * unit};
    };
}

std::uint64_t ReserveSize::of(std::uint64_t total) const {
    // In two parts, which cannot overflow.
    return std::max(total / 100 * percent + total % 100 * percent / 100, at_least);
}

Result<ReserveSize> parse_reserve(std::string_view text) {
    if (text.ends_with('%')) {
        const auto percent = parse_int<unsigned>(text.substr(0, text.size() - 1));
        if (!percent || *percent > kMaxPercent) {
            return bad_reserve(text);
        }
        return ReserveSize{*percent, 0};
    }
    for (const Unit& unit : kUnits) {
        if (!text.ends_with(unit.name)) {
            continue;
        }
        const auto number =
            parse_int<std::uint64_t>(text.substr(0, text.size() - unit.name.size()));
        if (!number || *number > kMaxBytes >> unit.shift) {
            return bad_reserve(text);
        }
        return ReserveSize{0, *number << unit.shift};
    }
    return bad_reserve(text);
}

Result<SpaceReserve::Figures> SpaceReserve::measure() {
    TRY_ASSIGN(const Space space, probe_());
    const Figures figures{space, size_.of(space.total)};
    room_.store(static_cast<std::int64_t>(std::min(figures.room(), kMaxBytes)),
                std::memory_order_relaxed);
    return figures;
}

bool SpaceReserve::take(std::uint64_t bytes) {
    std::int64_t room = room_.load(std::memory_order_relaxed);
    do {
        if (room < 0 || static_cast<std::uint64_t>(room) < bytes) {
            return false;
        }
    } while (!room_.compare_exchange_weak(room, room - static_cast<std::int64_t>(bytes),
                                          std::memory_order_relaxed));
    return true;
}

}  // namespace kiln::block
