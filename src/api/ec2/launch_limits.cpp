// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/launch_limits.h"

#include <fmt/format.h>

#include "api/ec2/convert.h"
#include "control/api_errors.h"
#include "control/instance_types.h"

namespace kiln::api::ec2 {
namespace {

bool asks_other(const std::optional<std::string>& value, std::string_view usual) {
    return given(value) && *value != usual;
}

std::string_view type_of(const RunInstancesRequest& request) {
    return given(request.instance_type) ? std::string_view(*request.instance_type)
                                        : control::kDefaultInstanceType;
}

// RUN-16. Current Packer sends `none` with every launch.
Status check_reservation(const RunInstancesRequest& request) {
    if (!request.capacity_reservation_specification) {
        return ok();
    }
    const auto& wanted = *request.capacity_reservation_specification;
    if (wanted.capacity_reservation_target) {
        return not_built("CapacityReservationSpecification.CapacityReservationTarget");
    }
    const std::string preference = wanted.capacity_reservation_preference.value_or("");
    if (preference == "capacity-reservations-only") {
        return not_built(fmt::format("{} ({})", kPreferenceParameter, preference));
    }
    return ok();
}

// RUN-15. Packer asks for `standard` with every burstable type.
Status check_credits(const RunInstancesRequest& request) {
    if (!request.credit_specification) {
        return ok();
    }
    const std::string credits = request.credit_specification->cpu_credits.value_or("");
    if (credits != "standard" && credits != "unlimited") {
        return bad_enum(credits, "CreditSpecification.CpuCredits");
    }
    const std::string_view name = type_of(request);
    const control::InstanceType* const type = control::find_instance_type(name);
    if (type != nullptr && !type->family->burstable) {
        return Error::api(Code::invalid_argument, "InstanceCreditSpecification.NotSupported",
                          fmt::format("The {} instance type does not support T2 Unlimited; "
                                      "burstable ones do (t2, t3, t3a, t4g).",
                                      name));
    }
    return ok();
}

// RUN-15: the processors that instances of the type have, in the one form the type has.
Status check_processors(const RunInstancesRequest& request) {
    if (!request.cpu_options) {
        return ok();
    }
    const CpuOptionsRequest& wanted = *request.cpu_options;
    const control::InstanceType* const type = control::find_instance_type(type_of(request));
    if (type == nullptr) {
        return ok();  // the launch refuses the type
    }
    const auto cores = static_cast<std::int32_t>(type->cores);
    const auto threads = static_cast<std::int32_t>(type->vcpus / type->cores);
    const bool same = wanted.core_count.value_or(cores) == cores &&
                      wanted.threads_per_core.value_or(threads) == threads &&
                      !asks_other(wanted.amd_sev_snp, "disabled") &&
                      !asks_other(wanted.nested_virtualization, "disabled");
    return same ? ok() : Status(not_built("CpuOptions (other than the type's own)"));
}

// RUN-15: what else every instance has, and no other value of it.
Status check_fixed_options(const RunInstancesRequest& request) {
    if (request.maintenance_options &&
        asks_other(request.maintenance_options->auto_recovery, "default")) {
        return not_built("MaintenanceOptions.AutoRecovery (other than default)");
    }
    if (request.network_performance_options &&
        asks_other(request.network_performance_options->bandwidth_weighting, "default")) {
        return not_built("NetworkPerformanceOptions.BandwidthWeighting (other than default)");
    }
    if (!request.private_dns_name_options) {
        return ok();
    }
    const auto& names = *request.private_dns_name_options;
    if (asks_other(names.hostname_type, "ip-name")) {
        return not_built("PrivateDnsNameOptions.HostnameType (other than ip-name)");
    }
    if (names.enable_resource_name_dns_a_record.value_or(false) ||
        names.enable_resource_name_dns_aaaa_record.value_or(false)) {
        return not_built("PrivateDnsNameOptions.EnableResourceNameDnsARecord and ...AAAARecord");
    }
    return ok();
}

}  // namespace

Status refuse_unbuilt(const RunInstancesRequest& request) {
    struct Parameter {
        bool used;
        std::string_view name;
    };
    const Parameter parameters[] = {
        {given(request.kernel_id), "KernelId"},
        {given(request.ramdisk_id), "RamdiskId"},
        {request.instance_market_options.has_value(), "InstanceMarketOptions"},
        {request.hibernation_options && request.hibernation_options->configured.value_or(false),
         "HibernationOptions"},
        {request.enclave_options && request.enclave_options->enabled.value_or(false),
         "EnclaveOptions"},
        {request.ipv6_address_count.value_or(0) != 0 || !request.ipv6_addresses.empty(),
         "Ipv6Address"},
        {!request.license_specifications.empty(), "LicenseSpecification"},
        {!request.elastic_gpu_specification.empty(), "ElasticGpuSpecification"},
        {!request.elastic_inference_accelerators.empty(), "ElasticInferenceAccelerator"},
        {!request.secondary_interfaces.empty(), "SecondaryInterface"},
        {request.operator_.has_value(), "Operator"},
        {request.enable_primary_ipv6.value_or(false), "EnablePrimaryIpv6"},
        {given(request.additional_info), "AdditionalInfo"},
    };
    for (const Parameter& parameter : parameters) {
        if (parameter.used) {
            return not_built(parameter.name);
        }
    }
    TRY(check_reservation(request));
    TRY(check_processors(request));
    TRY(check_fixed_options(request));
    return check_credits(request);
}

}  // namespace kiln::api::ec2
