// SPDX-License-Identifier: Apache-2.0
// The instance types this server offers: facts only, so that more of them is more data. Names,
// sizes and features are those of Amazon's types of the same name; the machine behind them is a
// QEMU guest of that many vCPUs and that much memory.
//
// Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kiln::control {

struct InstanceType {
    std::string_view name;  // t3.micro
    std::uint32_t vcpus;
    std::uint64_t memory_mib;
    std::string_view architectures;         // comma separated: "i386,x86_64"
    std::string_view virtualization_types;  // comma separated: "hvm,paravirtual"
    bool ena_required;                      // RUN-3: the image must have EnaSupport
    bool nvme;                              // EBS volumes appear as NVMe on the original
    bool burstable;
    bool uefi;  // boots UEFI images
    std::uint32_t instance_store_disks;
    std::uint64_t instance_store_gib_each;
};

std::span<const InstanceType> instance_types();
const InstanceType* find_instance_type(std::string_view name);
// RUN-2: what RunInstances uses when no type is given.
inline constexpr std::string_view kDefaultInstanceType = "m1.small";

}  // namespace kiln::control
