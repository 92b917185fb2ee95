// SPDX-License-Identifier: Apache-2.0
#include "control/type_requirements.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/filter.h"
#include "control/instance_type_offers.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using Names = std::vector<std::string>;

constexpr PageLimits kLimits{1, 1000};
constexpr std::size_t kMostPatterns = 400;
constexpr double kMibPerGib = 1024;

bool contains(const Names& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Whether one of the alternatives is among what the type has.
bool any_of(const Names& alternatives, std::string_view comma_separated) {
    const auto has = split(comma_separated, ',');
    return alternatives.empty() || std::any_of(has.begin(), has.end(), [&](std::string_view one) {
               return contains(alternatives, one);
           });
}

bool matches(const Names& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return wildcard_match(pattern, name); });
}

bool agrees(Presence wanted, bool has) {
    return wanted == Presence::included || (wanted == Presence::required) == has;
}

bool has_processor(const InstanceType& type, const TypeRequirements& wanted) {
    const auto memory = static_cast<double>(type.memory_mib);
    return any_of(wanted.architectures, type.family->architectures) &&
           any_of(wanted.virtualization_types, type.family->virtualization_types) &&
           any_of(wanted.manufacturers, to_lower(type.family->manufacturer)) &&
           wanted.vcpus.holds(type.vcpus) && wanted.memory_mib.holds(memory) &&
           wanted.memory_gib_per_vcpu.holds(memory / kMibPerGib / type.vcpus);
}

bool has_disks(const InstanceType& type, const TypeRequirements& wanted) {
    const bool local = type.instance_store_disks != 0;
    const auto total = static_cast<double>(type.instance_store_disks * type.instance_store_gb_each);
    return agrees(wanted.local_storage, local) &&
           (!local || any_of(wanted.local_storage_types, type.family->disk_type)) &&
           wanted.local_storage_gb.holds(total) && wanted.ebs_mbps.holds(type.ebs.baseline_mbps);
}

// No type has an accelerator, is bare metal, hibernates, or encrypts what it sends (TYP-1).
bool needs_what_there_is(const TypeRequirements& wanted) {
    return agrees(wanted.bare_metal, false) && wanted.accelerators.holds(0) &&
           wanted.accelerator_memory_mib.holds(0) && !wanted.named_accelerators &&
           !wanted.hibernation && !wanted.encryption_in_transit;
}

Status check_range(const NumberRange& range, const char* name) {
    if (range.min.value_or(0) < 0 || range.max.value_or(0) < 0) {
        return errors::invalid_parameter_value(
            fmt::format("The minimum and the maximum of {} may not be negative.", name));
    }
    if (range.min && range.max && *range.min > *range.max) {
        return errors::invalid_parameter_value(
            fmt::format("The minimum of {} may not be larger than its maximum.", name));
    }
    return ok();
}

Status check(const TypeRequirements& wanted) {
    const std::pair<const NumberRange&, const char*> ranges[] = {
        {wanted.vcpus, "VCpuCount"},
        {wanted.memory_mib, "MemoryMiB"},
        {wanted.memory_gib_per_vcpu, "MemoryGiBPerVCpu"},
        {wanted.local_storage_gb, "TotalLocalStorageGB"},
        {wanted.interfaces, "NetworkInterfaceCount"},
        {wanted.ebs_mbps, "BaselineEbsBandwidthMbps"},
        {wanted.accelerators, "AcceleratorCount"},
        {wanted.accelerator_memory_mib, "AcceleratorTotalMemoryMiB"},
    };
    for (const auto& range : ranges) {
        TRY(check_range(range.first, range.second));
    }
    if (!wanted.allowed.empty() && !wanted.excluded.empty()) {
        return errors::invalid_parameter_combination(
            "AllowedInstanceTypes and ExcludedInstanceTypes may not be given together.");
    }
    if (std::max(wanted.allowed.size(), wanted.excluded.size()) > kMostPatterns) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} instance types may be allowed or excluded.", kMostPatterns));
    }
    return ok();
}

}  // namespace

bool has_all(const InstanceType& type, const TypeRequirements& wanted) {
    const char* generation = type.family->current_generation ? "current" : "previous";
    return has_processor(type, wanted) && has_disks(type, wanted) && needs_what_there_is(wanted) &&
           wanted.interfaces.holds(type.interfaces) &&
           agrees(wanted.burstable, type.family->burstable) &&
           (wanted.generations.empty() || contains(wanted.generations, generation)) &&
           (wanted.allowed.empty() || matches(wanted.allowed, type.name)) &&
           !matches(wanted.excluded, type.name);
}

Result<Page<const InstanceType*>> find_instance_types(const Caller& caller,
                                                      const FindTypesInput& input) {
    TRY(check(input.requirements));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return instance_type_page(caller, input.page, start, [&](const InstanceType& type) {
        return has_all(type, input.requirements);
    });
}

}  // namespace kiln::control
