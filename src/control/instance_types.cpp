// SPDX-License-Identifier: Apache-2.0
#include "control/instance_types.h"

#include <array>

namespace kiln::control {
namespace {

constexpr std::string_view kBoth = "i386,x86_64";
constexpr std::string_view k64 = "x86_64";
constexpr std::string_view kHvm = "hvm";
constexpr std::string_view kAnyVirt = "hvm,paravirtual";

// name, vCPU, MiB, architectures, virtualization, ENA required, NVMe, burstable, UEFI, instance
// store disks, GiB each
constexpr std::array kTypes{
    InstanceType{"t2.nano", 1, 512, kBoth, kHvm, false, false, true, false, 0, 0},
    InstanceType{"t2.micro", 1, 1024, kBoth, kHvm, false, false, true, false, 0, 0},
    InstanceType{"t2.small", 1, 2048, kBoth, kHvm, false, false, true, false, 0, 0},
    InstanceType{"t2.medium", 2, 4096, kBoth, kHvm, false, false, true, false, 0, 0},
    InstanceType{"t3.nano", 2, 512, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3.micro", 2, 1024, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3.small", 2, 2048, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3.medium", 2, 4096, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3a.nano", 2, 512, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3a.micro", 2, 1024, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"t3a.small", 2, 2048, k64, kHvm, true, true, true, true, 0, 0},
    InstanceType{"m1.small", 1, 1740, kBoth, kAnyVirt, false, false, false, false, 1, 160},
    InstanceType{"m1.medium", 1, 3840, kBoth, kAnyVirt, false, false, false, false, 1, 410},
    InstanceType{"m3.medium", 1, 3840, k64, kAnyVirt, false, false, false, false, 1, 4},
    InstanceType{"m3.large", 2, 7680, k64, kAnyVirt, false, false, false, false, 1, 32},
    InstanceType{"m5.large", 2, 8192, k64, kHvm, true, true, false, true, 0, 0},
    InstanceType{"m5.xlarge", 4, 16384, k64, kHvm, true, true, false, true, 0, 0},
    InstanceType{"m5d.large", 2, 8192, k64, kHvm, true, true, false, true, 1, 75},
    InstanceType{"c5.large", 2, 4096, k64, kHvm, true, true, false, true, 0, 0},
    InstanceType{"c5.xlarge", 4, 8192, k64, kHvm, true, true, false, true, 0, 0},
};

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
