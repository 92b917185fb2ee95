// SPDX-License-Identifier: Apache-2.0
#include "control/volume_limits.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;
using block::RateLimit;
using model::VolumeType;

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

block::VolumeLimits of(std::uint32_t size_gib, VolumeType type,
                       std::optional<std::uint32_t> iops = std::nullopt,
                       std::optional<std::uint32_t> throughput = std::nullopt) {
    return limits_of({size_gib, type, iops, throughput});
}

}  // namespace

TEST_CASE("VOL-16: each type has the figures that its size and performance give it") {
    CHECK(of(10, VolumeType::gp3).operations == RateLimit{.rate = 3000});
    CHECK(of(10, VolumeType::gp3).bytes == RateLimit{.rate = 125 * kMiB});
    CHECK(of(100, VolumeType::gp3, 9000, 700).operations == RateLimit{.rate = 9000});
    CHECK(of(100, VolumeType::gp3, 9000, 700).bytes == RateLimit{.rate = 700 * kMiB});

    CHECK(of(8, VolumeType::gp2).operations ==
          RateLimit{.rate = 100, .burst_rate = 3000, .credits = 5'400'000});
    CHECK(of(8, VolumeType::gp2).bytes == RateLimit{.rate = 128 * kMiB});
    CHECK(of(500, VolumeType::gp2).operations ==
          RateLimit{.rate = 1500, .burst_rate = 3000, .credits = 5'400'000});
    CHECK(of(500, VolumeType::gp2).bytes == RateLimit{.rate = 250 * kMiB});
    CHECK(of(1000, VolumeType::gp2).operations == RateLimit{.rate = 3000});
    CHECK(of(16384, VolumeType::gp2).operations == RateLimit{.rate = 16'000});

    CHECK(of(100, VolumeType::io1, 2000).operations == RateLimit{.rate = 2000});
    CHECK(of(100, VolumeType::io1, 2000).bytes == RateLimit{.rate = 500 * kMiB});
    CHECK(of(2000, VolumeType::io1, 64'000).bytes == RateLimit{.rate = 1000 * kMiB});
    CHECK(of(2000, VolumeType::io2, 256'000).bytes == RateLimit{.rate = 4000 * kMiB});

    CHECK(of(1024, VolumeType::st1).bytes ==
          RateLimit{.rate = 40 * kMiB, .burst_rate = 250 * kMiB, .credits = 1ULL << 40});
    CHECK(of(16384, VolumeType::st1).bytes == RateLimit{.rate = 500 * kMiB});
    CHECK(of(2048, VolumeType::sc1).bytes ==
          RateLimit{.rate = 24 * kMiB, .burst_rate = 160 * kMiB, .credits = 2ULL << 40});
    CHECK(of(1024, VolumeType::st1).operation_bytes == kMiB);
    CHECK(of(100, VolumeType::standard).operations.rate == 100);
}

TEST_CASE("VOL-20: gp2 shows the IOPS of its size, gp3 what it has unless more was asked for") {
    const auto shown = [](std::uint32_t size_gib, VolumeType type,
                          std::optional<std::uint32_t> iops = std::nullopt,
                          std::optional<std::uint32_t> throughput = std::nullopt) {
        const model::VolumeShape shape = with_type_figures({size_gib, type, iops, throughput});
        return std::pair(shape.iops.value_or(0), shape.throughput_mibps.value_or(0));
    };
    CHECK(shown(8, VolumeType::gp2) == std::pair(100U, 0U));
    CHECK(shown(34, VolumeType::gp2) == std::pair(102U, 0U));
    CHECK(shown(16384, VolumeType::gp2) == std::pair(16'000U, 0U));
    CHECK(shown(8, VolumeType::gp3) == std::pair(3000U, 125U));
    CHECK(shown(100, VolumeType::gp3, 4000) == std::pair(4000U, 125U));
    CHECK(shown(100, VolumeType::gp3, 4000, 700) == std::pair(4000U, 700U));
    CHECK(shown(100, VolumeType::io2, 500) == std::pair(500U, 0U));
    CHECK(shown(500, VolumeType::st1) == std::pair(0U, 0U));
}
