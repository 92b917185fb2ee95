// SPDX-License-Identifier: Apache-2.0
// The table of instance types. A new type is a line here; a new family, an entry above them.
#include <array>

#include "control/instance_types.h"

namespace kiln::control {
namespace {

constexpr std::string_view kBoth = "i386,x86_64";
constexpr std::string_view k64 = "x86_64";
constexpr std::string_view kHvm = "hvm";
constexpr std::string_view kAnyVirtualization = "hvm,paravirtual";
constexpr std::string_view kEbs = "ebs";
constexpr std::string_view kAnyRoot = "ebs,instance-store";
constexpr std::string_view kBios = "legacy-bios";
constexpr std::string_view kAnyFirmware = "legacy-bios,uefi";
constexpr std::string_view kNone = "unsupported";
constexpr std::string_view kRequired = "required";

constexpr InstanceFamily kT2{
    .architectures = kBoth,
    .virtualization_types = kHvm,
    .root_device_types = kEbs,
    .boot_modes = kBios,
    .hypervisor = "xen",
    .manufacturer = "Intel",
    .ena = kNone,
    .ebs_optimized = kNone,
    .ebs_nvme = kNone,
    .placement = "partition,spread",
    .current_generation = true,
    .burstable = true,
};

constexpr InstanceFamily nitro(std::string_view manufacturer) {
    return {
        .architectures = k64,
        .virtualization_types = kHvm,
        .root_device_types = kEbs,
        .boot_modes = kAnyFirmware,
        .hypervisor = "nitro",
        .manufacturer = manufacturer,
        .ena = kRequired,
        .ebs_optimized = "default",
        .ebs_nvme = kRequired,
        .placement = "cluster,partition,spread",
        .current_generation = true,
    };
}

constexpr InstanceFamily burstable(InstanceFamily family) {
    family.burstable = true;
    family.placement = "partition,spread";
    return family;
}

constexpr InstanceFamily with_disks(InstanceFamily family, std::string_view type,
                                    std::string_view nvme) {
    family.disk_type = type;
    family.disk_nvme = nvme;
    return family;
}

constexpr InstanceFamily kT3 = burstable(nitro("Intel"));
constexpr InstanceFamily kT3a = burstable(nitro("AMD"));
constexpr InstanceFamily kM5 = nitro("Intel");
constexpr InstanceFamily kM5d = with_disks(nitro("Intel"), "ssd", kRequired);
constexpr InstanceFamily kC5 = nitro("Intel");
constexpr InstanceFamily kC5d = with_disks(nitro("Intel"), "ssd", kRequired);

constexpr InstanceFamily previous_generation(std::string_view architectures) {
    return {
        .architectures = architectures,
        .virtualization_types = kAnyVirtualization,
        .root_device_types = kAnyRoot,
        .boot_modes = kBios,
        .hypervisor = "xen",
        .manufacturer = "Intel",
        .ena = kNone,
        .ebs_optimized = kNone,
        .ebs_nvme = kNone,
        .placement = "partition,spread",
    };
}

constexpr InstanceFamily kM1 = with_disks(previous_generation(kBoth), "hdd", kNone);
constexpr InstanceFamily kM3 = with_disks(previous_generation(k64), "ssd", kNone);

constexpr char kLow[] = "Low";
constexpr char kLowToModerate[] = "Low to Moderate";
constexpr char kModerate[] = "Moderate";
constexpr char kUpTo5[] = "Up to 5 Gigabit";
constexpr char kUpTo10[] = "Up to 10 Gigabit";

// clang-format off
// name, family, vCPU, cores, MiB, GHz, network, interfaces, addresses each,
// {EBS baseline Mbit/s, IOPS, maximum Mbit/s, IOPS}, instance store disks, GB each, free tier
constexpr std::array kTypes{
    InstanceType{"t2.nano",    &kT2,  1, 1,   512, 2.4, kLowToModerate, 2,  2, {}},
    InstanceType{"t2.micro",   &kT2,  1, 1,  1024, 2.5, kLowToModerate, 2,  2, {}, 0, 0, true},
    InstanceType{"t2.small",   &kT2,  1, 1,  2048, 2.5, kLowToModerate, 3,  4, {}},
    InstanceType{"t2.medium",  &kT2,  2, 2,  4096, 2.3, kLowToModerate, 3,  6, {}},
    InstanceType{"t3.nano",    &kT3,  2, 1,   512, 2.5, kUpTo5,         2,  2, {43, 250, 2085, 11800}},
    InstanceType{"t3.micro",   &kT3,  2, 1,  1024, 2.5, kUpTo5,         2,  2, {87, 500, 2085, 11800}, 0, 0, true},
    InstanceType{"t3.small",   &kT3,  2, 1,  2048, 2.5, kUpTo5,         3,  4, {174, 1000, 2085, 11800}},
    InstanceType{"t3.medium",  &kT3,  2, 1,  4096, 2.5, kUpTo5,         3,  6, {347, 2000, 2085, 11800}},
    InstanceType{"t3a.nano",   &kT3a, 2, 1,   512, 2.2, kUpTo5,         2,  2, {45, 250, 2085, 11800}},
    InstanceType{"t3a.micro",  &kT3a, 2, 1,  1024, 2.2, kUpTo5,         2,  2, {90, 500, 2085, 11800}},
    InstanceType{"t3a.small",  &kT3a, 2, 1,  2048, 2.2, kUpTo5,         2,  4, {175, 1000, 2085, 11800}},
    InstanceType{"m1.small",   &kM1,  1, 1,  1740, 1.0, kLow,           2,  4, {}, 1, 160},
    InstanceType{"m1.medium",  &kM1,  1, 1,  3788, 2.0, kModerate,      2,  6, {}, 1, 410},
    InstanceType{"m3.medium",  &kM3,  1, 1,  3840, 2.5, kModerate,      2,  6, {}, 1, 4},
    InstanceType{"m3.large",   &kM3,  2, 1,  7680, 2.5, kModerate,      3, 10, {}, 1, 32},
    InstanceType{"m5.large",   &kM5,  2, 1,  8192, 3.1, kUpTo10,        3, 10, {650, 3600, 4750, 18750}},
    InstanceType{"m5.xlarge",  &kM5,  4, 2, 16384, 3.1, kUpTo10,        4, 15, {1150, 6000, 4750, 18750}},
    InstanceType{"m5d.large",  &kM5d, 2, 1,  8192, 3.1, kUpTo10,        3, 10, {650, 3600, 4750, 18750}, 1, 75},
    InstanceType{"m5d.xlarge", &kM5d, 4, 2, 16384, 3.1, kUpTo10,        4, 15, {1150, 6000, 4750, 18750}, 1, 150},
    InstanceType{"c5.large",   &kC5,  2, 1,  4096, 3.4, kUpTo10,        3, 10, {650, 4000, 4750, 20000}},
    InstanceType{"c5.xlarge",  &kC5,  4, 2,  8192, 3.4, kUpTo10,        4, 15, {1150, 6000, 4750, 20000}},
    InstanceType{"c5d.large",  &kC5d, 2, 1,  4096, 3.4, kUpTo10,        3, 10, {650, 4000, 4750, 20000}, 1, 50},
    InstanceType{"c5d.xlarge", &kC5d, 4, 2,  8192, 3.4, kUpTo10,        4, 15, {1150, 6000, 4750, 20000}, 1, 100},
};
// clang-format on

}  // namespace

std::span<const InstanceType> instance_types() {
    return kTypes;
}

const InstanceType* find_instance_type(std::string_view name) {
    for (const InstanceType& type : kTypes) {
        if (type.name == name) {
            return &type;
        }
    }
    return nullptr;
}

}  // namespace kiln::control
