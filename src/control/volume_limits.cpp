// SPDX-License-Identifier: Apache-2.0
// The figures are those that EBS documents for its volume types.
#include "control/volume_limits.h"

#include <algorithm>

#include "control/device_mappings.h"

namespace kiln::control {
namespace {

using block::RateLimit;
using block::VolumeLimits;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kTiBInGiB = 1024;

// 3 operations a second for each GiB, and up to 3000 while there are credits: half an hour's worth.
VolumeLimits gp2(std::uint64_t size_gib, std::uint64_t rate) {
    constexpr std::uint64_t kBurst = 3000;
    constexpr std::uint64_t kCredits = 5'400'000;
    VolumeLimits limits;
    limits.operations.rate = rate;
    if (rate < kBurst) {
        limits.operations.burst_rate = kBurst;
        limits.operations.credits = kCredits;
    }
    limits.bytes.rate = (size_gib <= 170 ? 128 : 250) * kMiB;
    return limits;
}

VolumeLimits gp3(const model::VolumeShape& shape) {
    VolumeLimits limits;
    limits.operations.rate = *shape.iops;
    limits.bytes.rate = *shape.throughput_mibps * kMiB;
    return limits;
}

// As many bytes as so many of the largest operations have, up to what the type gives.
VolumeLimits provisioned(const model::VolumeShape& shape, std::uint64_t most_mib) {
    VolumeLimits limits;
    limits.operations.rate = shape.iops.value_or(100);
    limits.bytes.rate = std::min(limits.operations.rate * limits.operation_bytes, most_mib * kMiB);
    return limits;
}

// Disks: so much for each TiB, and more while there are credits, a TiB of them for each TiB.
VolumeLimits streaming(std::uint64_t size_gib, std::uint64_t base_mib, std::uint64_t burst_mib,
                       std::uint64_t most_mib) {
    const auto scaled = [&](std::uint64_t mib) {
        return std::min(size_gib * mib * kMiB / kTiBInGiB, most_mib * kMiB);
    };
    VolumeLimits limits;
    limits.bytes.rate = scaled(base_mib);
    if (scaled(burst_mib) > limits.bytes.rate) {
        limits.bytes.burst_rate = scaled(burst_mib);
        limits.bytes.credits = size_gib << 30;
    }
    limits.operation_bytes = 1U << 20;
    limits.operations.rate = most_mib;
    return limits;
}

VolumeLimits magnetic() {
    VolumeLimits limits;
    limits.operations = {.rate = 100, .burst_rate = 200, .credits = 100'000};
    limits.bytes.rate = 90 * kMiB;
    return limits;
}

}  // namespace

model::VolumeShape with_type_figures(model::VolumeShape shape) {
    if (shape.type == model::VolumeType::gp2) {
        constexpr std::uint32_t kLeast = 100;
        constexpr std::uint32_t kMost = 16'000;
        shape.iops = std::clamp(3 * shape.size_gib, kLeast, kMost);
    } else if (shape.type == model::VolumeType::gp3) {
        shape.iops = shape.iops.value_or(kGp3Iops);
        shape.throughput_mibps = shape.throughput_mibps.value_or(kGp3ThroughputMibps);
    }
    return shape;
}

VolumeLimits limits_of(const model::VolumeShape& said) {
    const model::VolumeShape shape = with_type_figures(said);
    switch (shape.type) {
        case model::VolumeType::gp2:
            return gp2(shape.size_gib, *shape.iops);
        case model::VolumeType::gp3:
            return gp3(shape);
        case model::VolumeType::io1:
            return provisioned(shape, 1000);
        case model::VolumeType::io2:
            return provisioned(shape, 4000);
        case model::VolumeType::st1:
            return streaming(shape.size_gib, 40, 250, 500);
        case model::VolumeType::sc1:
            return streaming(shape.size_gib, 12, 80, 250);
        case model::VolumeType::standard:
            break;
    }
    return magnetic();
}

}  // namespace kiln::control
