// SPDX-License-Identifier: Apache-2.0
// GetInstanceTypesFromInstanceRequirements (TYP-4). What the table of types does not know is
// refused by name: there are no prices, and no figures of processors and networks to compare.
#include <algorithm>

#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/get_instance_types_from_instance_requirements.h"
#include "control/api_errors.h"
#include "control/type_requirements.h"

namespace kiln::api {
namespace {

using namespace ec2;
using Names = std::vector<std::string>;

Status refuse_unbuilt(const GetInstanceTypesFromInstanceRequirementsRequest& request) {
    if (given(request.context)) {
        return not_built("Context");
    }
    const InstanceRequirementsRequest& wanted = *request.instance_requirements;
    if (wanted.spot_max_price_percentage_over_lowest_price.has_value()) {
        return not_built("InstanceRequirements.SpotMaxPricePercentageOverLowestPrice");
    }
    if (wanted.on_demand_max_price_percentage_over_lowest_price.has_value()) {
        return not_built("InstanceRequirements.OnDemandMaxPricePercentageOverLowestPrice");
    }
    if (wanted.max_spot_price_as_percentage_of_optimal_on_demand_price.has_value()) {
        return not_built("InstanceRequirements.MaxSpotPriceAsPercentageOfOptimalOnDemandPrice");
    }
    if (wanted.network_bandwidth_gbps) {
        return not_built("InstanceRequirements.NetworkBandwidthGbps");
    }
    if (wanted.baseline_performance_factors) {
        return not_built("InstanceRequirements.BaselinePerformanceFactors");
    }
    return ok();
}

Status check_required(const GetInstanceTypesFromInstanceRequirementsRequest& request) {
    if (request.architecture_types.empty()) {
        return control::errors::missing_parameter("ArchitectureType");
    }
    if (request.virtualization_types.empty()) {
        return control::errors::missing_parameter("VirtualizationType");
    }
    if (!request.instance_requirements) {
        return control::errors::missing_parameter("InstanceRequirements");
    }
    const InstanceRequirementsRequest& wanted = *request.instance_requirements;
    if (!wanted.v_cpu_count || !wanted.v_cpu_count->min.has_value()) {
        return control::errors::missing_parameter("InstanceRequirements.VCpuCount.Min");
    }
    if (!wanted.memory_mi_b || !wanted.memory_mi_b->min.has_value()) {
        return control::errors::missing_parameter("InstanceRequirements.MemoryMiB.Min");
    }
    return ok();
}

template <class Range>
control::NumberRange to_range(const std::optional<Range>& from) {
    control::NumberRange range;
    if (from && from->min.has_value()) {
        range.min = static_cast<double>(*from->min);
    }
    if (from && from->max.has_value()) {
        range.max = static_cast<double>(*from->max);
    }
    return range;
}

Result<Names> to_words(const List<std::string>& list, const Names& known, const char* parameter) {
    for (const std::string& word : list) {
        if (std::find(known.begin(), known.end(), word) == known.end()) {
            return bad_enum(word, parameter);
        }
    }
    return list.items();
}

Status take_presence(const std::optional<std::string>& text, const char* parameter,
                     control::Presence& presence) {
    if (given(text)) {
        const auto known = model::parse<control::Presence>(*text);
        if (!known) {
            return bad_enum(*text, parameter);
        }
        presence = *known;
    }
    return ok();
}

// No type has one, so that what is named decides.
Result<bool> names_accelerators(const InstanceRequirementsRequest& from) {
    TRY(to_words(from.accelerator_types, {"gpu", "fpga", "inference", "media"}, "AcceleratorType"));
    TRY(to_words(from.accelerator_manufacturers,
                 {"amazon-web-services", "amd", "nvidia", "xilinx", "habana"},
                 "AcceleratorManufacturer"));
    return !from.accelerator_types.empty() || !from.accelerator_manufacturers.empty() ||
           !from.accelerator_names.empty();
}

Result<control::TypeRequirements> to_requirements(
    const GetInstanceTypesFromInstanceRequirementsRequest& request) {
    const InstanceRequirementsRequest& from = *request.instance_requirements;
    control::TypeRequirements to;
    TRY_ASSIGN(to.architectures, to_words(request.architecture_types,
                                          {"i386", "x86_64", "arm64", "x86_64_mac", "arm64_mac"},
                                          "ArchitectureType"));
    TRY_ASSIGN(to.virtualization_types, to_words(request.virtualization_types,
                                                 {"hvm", "paravirtual"}, "VirtualizationType"));
    TRY_ASSIGN(to.manufacturers,
               to_words(from.cpu_manufacturers, {"intel", "amd", "amazon-web-services", "apple"},
                        "CpuManufacturer"));
    TRY_ASSIGN(to.generations,
               to_words(from.instance_generations, {"current", "previous"}, "InstanceGeneration"));
    TRY_ASSIGN(to.local_storage_types,
               to_words(from.local_storage_types, {"hdd", "ssd"}, "LocalStorageType"));
    TRY_ASSIGN(to.named_accelerators, names_accelerators(from));
    TRY(take_presence(from.bare_metal, "BareMetal", to.bare_metal));
    TRY(take_presence(from.burstable_performance, "BurstablePerformance", to.burstable));
    TRY(take_presence(from.local_storage, "LocalStorage", to.local_storage));
    to.vcpus = to_range(from.v_cpu_count);
    to.memory_mib = to_range(from.memory_mi_b);
    to.memory_gib_per_vcpu = to_range(from.memory_gi_b_per_v_cpu);
    to.local_storage_gb = to_range(from.total_local_storage_gb);
    to.interfaces = to_range(from.network_interface_count);
    to.ebs_mbps = to_range(from.baseline_ebs_bandwidth_mbps);
    to.accelerators = to_range(from.accelerator_count);
    to.accelerator_memory_mib = to_range(from.accelerator_total_memory_mi_b);
    to.allowed = from.allowed_instance_types.items();
    to.excluded = from.excluded_instance_types.items();
    to.hibernation = from.require_hibernate_support.value_or(false);
    to.encryption_in_transit = from.require_encryption_in_transit.value_or(false);
    return to;
}

Result<GetInstanceTypesFromInstanceRequirementsResult> get(
    const Context& context, const GetInstanceTypesFromInstanceRequirementsRequest& request) {
    TRY(check_required(request));
    TRY(refuse_unbuilt(request));
    control::FindTypesInput input;
    TRY_ASSIGN(input.requirements, to_requirements(request));
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, control::find_instance_types(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    GetInstanceTypesFromInstanceRequirementsResult result;
    result.instance_types.give();
    for (const control::InstanceType* type : page.items) {
        result.instance_types.emplace_back().instance_type = std::string(type->name);
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_type_requirement_handlers(Registry& registry) {
    registry.add<ops::GetInstanceTypesFromInstanceRequirements>(
        [](Context& context, const GetInstanceTypesFromInstanceRequirementsRequest& request) {
            return get(context, request);
        });
}

}  // namespace kiln::api
