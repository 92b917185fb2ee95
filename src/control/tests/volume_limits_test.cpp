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

TEST_CASE("VOL-2: what nobody said is what the type gives") {
    const auto said = [](model::VolumeShape shape) {
        const model::VolumeShape full = with_type_figures(shape);
        return std::pair(full.iops, full.throughput_mibps);
    };
    using Figures = std::pair<std::optional<std::uint32_t>, std::optional<std::uint32_t>>;
    CHECK(said({1, VolumeType::gp2, {}, {}}) == Figures(100, std::nullopt));
    CHECK(said({500, VolumeType::gp2, {}, {}}) == Figures(1500, std::nullopt));
    CHECK(said({16384, VolumeType::gp2, {}, {}}) == Figures(16'000, std::nullopt));
    CHECK(said({1, VolumeType::gp3, {}, {}}) == Figures(3000, 125));
    CHECK(said({100, VolumeType::gp3, 9000, {}}) == Figures(9000, 125));
    CHECK(said({100, VolumeType::io2, 200, {}}) == Figures(200, std::nullopt));
    CHECK(said({125, VolumeType::st1, {}, {}}) == Figures(std::nullopt, std::nullopt));
}

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
