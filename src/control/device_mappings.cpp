// SPDX-License-Identifier: Apache-2.0
#include "control/device_mappings.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using model::BlockDeviceMapping;
using model::BlockDeviceMappings;
using model::EbsBlockDevice;
using model::VolumeType;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

// "", or 1..15 without a leading zero: the partition number a paravirtual device may carry.
bool is_partition_suffix(std::string_view text) {
    if (text.empty()) {
        return true;
    }
    const auto number = parse_int<unsigned>(text);
    return number && *number >= 1 && *number <= 15 && text[0] != '0';
}

struct TypeLimits {
    VolumeType type;
    std::uint32_t min_gib;
    std::uint32_t max_gib;
    std::uint32_t min_iops;  // 0: the Iops parameter is refused
    std::uint32_t max_iops;
    std::uint32_t max_iops_per_gib;
    bool iops_required;
};

constexpr TypeLimits kLimits[] = {
    {VolumeType::gp3, 1, 65536, 3000, 80000, 500, false},
    {VolumeType::gp2, 1, 16384, 0, 0, 0, false},
    {VolumeType::io1, 4, 16384, 100, 64000, 50, true},
    {VolumeType::io2, 4, 65536, 100, 256000, 1000, true},
    {VolumeType::st1, 125, 16384, 0, 0, 0, false},
    {VolumeType::sc1, 125, 16384, 0, 0, 0, false},
    {VolumeType::standard, 1, 1024, 0, 0, 0, false},
};
constexpr std::uint32_t kMinThroughput = 125;
constexpr std::uint32_t kMaxThroughput = 2000;

const TypeLimits& limits_of(VolumeType type) {
    for (const TypeLimits& limits : kLimits) {
        if (limits.type == type) {
            return limits;
        }
    }
    return kLimits[1];
}

Status check_iops(const TypeLimits& limits, std::uint32_t size_gib, std::uint32_t iops) {
    const std::string_view name = model::to_string(limits.type);
    if (limits.max_iops == 0) {
        return errors::invalid_parameter_combination(
            fmt::format("The parameter iops is not supported for {} volumes.", name));
    }
    if (iops < limits.min_iops || iops > limits.max_iops) {
        return errors::invalid_parameter_value(
            fmt::format("Volume iops of {} is out of range; {} volumes take {} to {}", iops, name,
                        limits.min_iops, limits.max_iops));
    }
    // gp3 gives its baseline to any size; the ratio bounds what is asked for above it.
    const bool baseline = limits.type == VolumeType::gp3 && iops <= kGp3Iops;
    if (!baseline && iops > std::uint64_t{limits.max_iops_per_gib} * size_gib) {
        return errors::invalid_parameter_value(
            fmt::format("Iops to volume size ratio of {:.1f} is too high; maximum is {}",
                        static_cast<double>(iops) / size_gib, limits.max_iops_per_gib));
    }
    return ok();
}

Status check_throughput(VolumeType type, std::uint32_t iops, std::uint32_t throughput) {
    if (type != VolumeType::gp3) {
        return errors::invalid_parameter_combination(fmt::format(
            "The parameter throughput is not supported for {} volumes.", model::to_string(type)));
    }
    if (throughput < kMinThroughput || throughput > kMaxThroughput) {
        return errors::invalid_parameter_value(
            fmt::format("Throughput of {} MiB/s is out of range; gp3 volumes take {} to {}",
                        throughput, kMinThroughput, kMaxThroughput));
    }
    if (throughput * 4 > iops) {
        return errors::invalid_parameter_value(
            fmt::format("Throughput to iops ratio of {:.2f} is too high; maximum is 0.25",
                        static_cast<double>(throughput) / iops));
    }
    return ok();
}

Status check_entry(const BlockDeviceMapping& mapping, model::VirtualizationType virtualization) {
    if (mapping.device_name.empty()) {
        return errors::missing_parameter("BlockDeviceMapping.DeviceName");
    }
    if (!is_valid_device_name(mapping.device_name, virtualization)) {
        return errors::invalid_mapping("Invalid device name " + mapping.device_name);
    }
    if (mapping.no_device) {
        return ok();  // BDM-1: its presence wins over whatever else the entry says
    }
    if (mapping.ebs.has_value() == !mapping.virtual_name.empty()) {
        return errors::invalid_mapping(
            fmt::format("The device '{}' must have exactly one of Ebs, VirtualName and NoDevice",
                        mapping.device_name));
    }
    if (!mapping.virtual_name.empty()) {
        constexpr std::string_view kEphemeral = "ephemeral";
        const std::string_view name = mapping.virtual_name;
        const auto number = name.starts_with(kEphemeral)
                                ? parse_int<unsigned>(name.substr(kEphemeral.size()))
                                : std::nullopt;
        if (!number || name != fmt::format("{}{}", kEphemeral, *number) || *number > 23) {
            return errors::invalid_mapping(
                fmt::format("Invalid virtual name '{}'", mapping.virtual_name));
        }
    }
    return ok();
}

// BDM-6: a paravirtual guest has a disk whole or its partitions.
bool are_disk_and_partition(std::string_view one, std::string_view other) {
    const std::string_view a = model::bare_device_name(one);
    const std::string_view b = model::bare_device_name(other);
    constexpr std::size_t kDisk = 3;  // sdc
    return a.substr(0, kDisk) == b.substr(0, kDisk) && (a.size() == kDisk) != (b.size() == kDisk) &&
           !a.starts_with("xvd");
}

// BDM-9: what the launch says, field by field, over what the image says.
void merge_ebs(EbsBlockDevice& under, const EbsBlockDevice& over) {
    if (!over.snapshot_id.empty()) {
        under.snapshot_id = over.snapshot_id;
    }
    const auto take = [](auto& field, const auto& value) {
        if (value) {
            field = value;
        }
    };
    if (over.volume_type && over.volume_type != under.volume_type) {
        // Performance figures belong to the type they were chosen for.
        under.iops.reset();
        under.throughput_mibps.reset();
    }
    take(under.volume_size_gib, over.volume_size_gib);
    take(under.volume_type, over.volume_type);
    take(under.iops, over.iops);
    take(under.throughput_mibps, over.throughput_mibps);
    take(under.initialization_rate_mibps, over.initialization_rate_mibps);
    take(under.encrypted, over.encrypted);
    take(under.delete_on_termination, over.delete_on_termination);
    if (!over.kms_key_id.empty()) {
        under.kms_key_id = over.kms_key_id;
    }
}

Status check_root_override(const BlockDeviceMapping& under, const BlockDeviceMapping& over) {
    if (over.no_device || !over.ebs) {
        return errors::invalid_mapping("The root device '" + over.device_name +
                                       "' cannot be removed or replaced");
    }
    if (!over.ebs->snapshot_id.empty() && under.ebs &&
        over.ebs->snapshot_id != under.ebs->snapshot_id) {
        return errors::invalid_mapping("snapshotId cannot be modified on root device");
    }
    return ok();
}

}  // namespace

bool is_valid_device_name(std::string_view name, model::VirtualizationType virtualization) {
    const std::string_view bare = model::bare_device_name(name);
    const bool paravirtual = virtualization == model::VirtualizationType::paravirtual;
    if (bare.size() >= 4 && bare.starts_with("xvd")) {
        const std::string_view rest = bare.substr(3);
        return (rest.size() == 1 && is_lower(rest[0])) ||
               (rest.size() == 2 && is_lower(rest[0]) && is_lower(rest[1]));
    }
    if (bare.size() >= 3 && (bare.starts_with("sd") || (paravirtual && bare.starts_with("hd"))) &&
        is_lower(bare[2])) {
        const std::string_view suffix = bare.substr(3);
        if (paravirtual) {
            return is_partition_suffix(suffix);
        }
        return suffix.empty() || (bare[2] == 'a' && (suffix == "1" || suffix == "2"));
    }
    return false;
}

Status check_mapping_list(const BlockDeviceMappings& mappings,
                          model::VirtualizationType virtualization) {
    for (std::size_t i = 0; i < mappings.size(); ++i) {
        TRY(check_entry(mappings[i], virtualization));
        for (std::size_t j = 0; j < i; ++j) {
            if (model::same_device(mappings[i].device_name, mappings[j].device_name)) {
                return errors::invalid_mapping(
                    fmt::format("The device '{}' is used in more than one block-device mapping",
                                mappings[i].device_name));
            }
            if (virtualization == model::VirtualizationType::paravirtual &&
                are_disk_and_partition(mappings[i].device_name, mappings[j].device_name)) {
                return errors::invalid_mapping(
                    fmt::format("The devices '{}' and '{}' are a disk and a partition of it",
                                mappings[j].device_name, mappings[i].device_name));
            }
        }
    }
    return ok();
}

Status check_volume_limits(VolumeType type, std::uint32_t size_gib, const EbsBlockDevice& ebs) {
    const TypeLimits& limits = limits_of(type);
    if (size_gib < limits.min_gib) {
        return errors::invalid_parameter_value(fmt::format(
            "Volume of {}GiB is too small; minimum is {}GiB.", size_gib, limits.min_gib));
    }
    if (size_gib > limits.max_gib) {
        return errors::invalid_parameter_value(fmt::format(
            "Volume of {}GiB is too large; maximum is {}GiB.", size_gib, limits.max_gib));
    }
    if (limits.iops_required && !ebs.iops) {
        return errors::missing_parameter("iops");
    }
    if (ebs.iops) {
        TRY(check_iops(limits, size_gib, *ebs.iops));
    }
    if (ebs.throughput_mibps) {
        TRY(check_throughput(type, ebs.iops.value_or(kGp3Iops), *ebs.throughput_mibps));
    }
    return ok();
}

void add_default_performance(EbsBlockDevice& ebs) {
    if (ebs.volume_type == VolumeType::gp3) {
        ebs.iops = ebs.iops.value_or(kGp3Iops);
        ebs.throughput_mibps = ebs.throughput_mibps.value_or(kGp3ThroughputMibps);
    }
}

Status check_multi_attach(VolumeType type, bool multi_attach) {
    const bool has = type == VolumeType::io1 || type == VolumeType::io2;
    return !multi_attach || has ? ok()
                                : Status(errors::invalid_parameter_combination(fmt::format(
                                      "The parameter MultiAttachEnabled is not supported for {} "
                                      "volumes.",
                                      model::to_string(type))));
}

Result<BlockDeviceMappings> merge_launch_mappings(const BlockDeviceMappings& image,
                                                  const BlockDeviceMappings& request,
                                                  std::string_view root_device) {
    BlockDeviceMappings merged = image;
    for (const BlockDeviceMapping& over : request) {
        auto under =
            std::find_if(merged.begin(), merged.end(), [&](const BlockDeviceMapping& entry) {
                return model::same_device(entry.device_name, over.device_name);
            });
        if (under == merged.end()) {
            if (!over.no_device) {
                merged.push_back(over);
            }
            continue;
        }
        if (model::same_device(over.device_name, root_device)) {
            TRY(check_root_override(*under, over));
        }
        if (over.no_device) {
            merged.erase(under);
        } else if (over.ebs && under->ebs) {
            merge_ebs(*under->ebs, *over.ebs);
        } else {
            *under = over;  // ebs <-> ephemeral replaces the whole entry
        }
    }
    return merged;
}

}  // namespace kiln::control
