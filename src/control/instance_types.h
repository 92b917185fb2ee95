// SPDX-License-Identifier: Apache-2.0
// The instance types this server offers: facts only, so that more of them is more data
// (instance_type_table.cpp). Names, sizes and features are those of Amazon's types of the same
// name; the machine behind them is a QEMU guest of that many vCPUs and that much memory.
//
// Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace kiln::control {

// What all sizes of a family share. Lists are comma separated; words are those of the API.
struct InstanceFamily {
    std::string_view architectures;         // "i386,x86_64"
    std::string_view virtualization_types;  // "hvm,paravirtual"
    std::string_view root_device_types;     // "ebs,instance-store"
    std::string_view boot_modes;            // "legacy-bios,uefi"
    std::string_view hypervisor;            // nitro, xen
    std::string_view manufacturer;
    std::string_view ena;            // unsupported, supported, required
    std::string_view ebs_optimized;  // unsupported, supported, default
    std::string_view ebs_nvme;       // unsupported, supported, required
    std::string_view disk_type;      // of its instance store: hdd, ssd; empty: none
    std::string_view disk_nvme;      // unsupported, supported, required
    std::string_view placement;      // strategies of placement groups
    bool current_generation = false;
    bool burstable = false;
};

// Of the EBS-optimized link: Mbit/s, I/O operations per second. 0: no such link.
struct EbsLink {
    std::uint32_t baseline_mbps = 0;
    std::uint32_t baseline_iops = 0;
    std::uint32_t maximum_mbps = 0;
    std::uint32_t maximum_iops = 0;
};

struct InstanceType {
    std::string_view name;  // t3.micro
    const InstanceFamily* family;
    std::uint32_t vcpus;
    std::uint32_t cores;
    std::uint64_t memory_mib;
    double clock_ghz;
    std::string_view network_performance;  // "Up to 5 Gigabit"
    std::uint32_t interfaces;
    std::uint32_t addresses_per_interface;
    EbsLink ebs;
    std::uint32_t instance_store_disks = 0;
    std::uint64_t instance_store_gb_each = 0;
    bool free_tier = false;

    bool ena_required() const { return family->ena == "required"; }      // RUN-3
    bool nvme_store() const { return family->disk_nvme == "required"; }  // BDM-2
    bool uefi() const { return family->boot_modes.ends_with("uefi"); }
};

std::span<const InstanceType> instance_types();
const InstanceType* find_instance_type(std::string_view name);
// RUN-2: what RunInstances uses when no type is given.
inline constexpr std::string_view kDefaultInstanceType = "m1.small";

}  // namespace kiln::control
