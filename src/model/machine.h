// SPDX-License-Identifier: Apache-2.0
// What images and instances have in common: the facts about the machine that an image was made for,
// and the reason of a state. Thread model: plain values.
#pragma once

#include <string>

#include "model/names.h"

namespace kiln::model {

enum class Architecture { i386, x86_64, arm64, x86_64_mac, arm64_mac };
constexpr auto enum_names(Architecture) {
    return std::to_array<EnumName<Architecture>>({{Architecture::i386, "i386"},
                                                  {Architecture::x86_64, "x86_64"},
                                                  {Architecture::arm64, "arm64"},
                                                  {Architecture::x86_64_mac, "x86_64_mac"},
                                                  {Architecture::arm64_mac, "arm64_mac"}});
}

enum class VirtualizationType { hvm, paravirtual };
constexpr auto enum_names(VirtualizationType) {
    return std::to_array<EnumName<VirtualizationType>>(
        {{VirtualizationType::hvm, "hvm"}, {VirtualizationType::paravirtual, "paravirtual"}});
}

enum class RootDeviceType { ebs, instance_store };
constexpr auto enum_names(RootDeviceType) {
    return std::to_array<EnumName<RootDeviceType>>(
        {{RootDeviceType::ebs, "ebs"}, {RootDeviceType::instance_store, "instance-store"}});
}

enum class BootMode { legacy_bios, uefi, uefi_preferred };
constexpr auto enum_names(BootMode) {
    return std::to_array<EnumName<BootMode>>({{BootMode::legacy_bios, "legacy-bios"},
                                              {BootMode::uefi, "uefi"},
                                              {BootMode::uefi_preferred, "uefi-preferred"}});
}

struct StateReason {
    std::string code;
    std::string message;
    friend bool operator==(const StateReason&, const StateReason&) = default;
};

struct ProductCode {
    std::string id;
    std::string type;  // "devpay" or "marketplace"
    friend bool operator==(const ProductCode&, const ProductCode&) = default;
};

}  // namespace kiln::model
