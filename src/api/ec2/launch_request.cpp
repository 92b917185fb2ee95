// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/launch_request.h"

#include <algorithm>

#include "api/access.h"
#include "api/ec2/convert.h"
#include "api/ec2/launch_limits.h"
#include "api/ec2/metadata_options.h"
#include "api/ec2/network_convert.h"
#include "api/ec2/template_convert.h"
#include "api/request_values.h"
#include "control/api_errors.h"

namespace kiln::api::ec2 {
namespace {

Status take_placement(const RunInstancesRequest& request, control::RunInstancesInput& input) {
    if (!request.placement) {
        return ok();
    }
    const Placement& placement = *request.placement;
    if (given(placement.host_id) || given(placement.group_name) || given(placement.group_id) ||
        given(placement.affinity) || placement.partition_number.has_value() ||
        given(placement.host_resource_group_arn)) {
        return not_built("Placement (other than AvailabilityZone and AvailabilityZoneId)");
    }
    if (given(placement.tenancy) && *placement.tenancy != "default") {
        return not_built("Placement.Tenancy");
    }
    if (given(placement.availability_zone) && given(placement.availability_zone_id)) {  // REG-2
        return Error::api(Code::invalid_argument, "InvalidParameterCombination",
                          "AvailabilityZone and AvailabilityZoneId may not be given together.");
    }
    input.availability_zone = given(placement.availability_zone)
                                  ? *placement.availability_zone
                                  : placement.availability_zone_id.value_or("");
    return ok();
}

// The token and where it counts, by the request itself.
Status take_token(const Context& context, const RunInstancesRequest& request,
                  control::RunInstancesInput& input) {
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    control::RunInstancesInput own;
    TRY(take_placement(request, own));
    TRY(take_network(request, own));
    input.token_place = {own.availability_zone, own.network.subnet};
    return ok();
}

Status take_image(const Services& services, const Context& context,
                  const RunInstancesRequest& request, control::RunInstancesInput& input) {
    if (!given(request.image_id)) {
        return control::errors::missing_parameter("ImageId");
    }
    TRY_ASSIGN(const std::string image,
               services.parameters.resolve(context.caller, *request.image_id));  // RUN-14
    TRY_ASSIGN(input.image_id, model::parse_image_id(image));
    return ok();
}

// What a parameter is about, if not the instance itself; empty: nothing that a template overrides.
struct Subject {
    std::string_view parameter;
    std::string_view type;
};
constexpr Subject kSubjects[] = {
    {"ImageId", "image"},
    {"KeyName", "key-pair"},
    {"SubnetId", "subnet"},
    {"SecurityGroupIds", "security-group"},
    {"SecurityGroups", "security-group"},
    {"NetworkInterfaces", "network-interface"},
    {"NetworkInterfaces.SubnetId", "subnet"},
    {"NetworkInterfaces.Groups", "security-group"},
    {"BlockDeviceMappings", "volume"},
    {"BlockDeviceMappings.Ebs.SnapshotId", "snapshot"},
    {"MinCount", ""},
    {"MaxCount", ""},
    {"LaunchTemplate", ""},
    {"TagSpecifications", ""},
    {"ClientToken", ""},
    {"DryRun", ""},
};

// The types of resources about which a request with a template says something itself: policies tell
// them from those that are as the template, or nobody, says (IAM-35).
std::vector<std::string> overridden(const RunInstancesRequest& request) {
    const StructInfo& info = *ops::RunInstances::info().request;
    std::vector<std::string> types;
    for (const MemberInfo& member : info.members) {
        if (presence(member, &request) == Presence::absent) {
            continue;
        }
        const auto* subject = std::find_if(
            std::begin(kSubjects), std::end(kSubjects),
            [&](const Subject& candidate) { return candidate.parameter == member.name; });
        types.emplace_back(subject == std::end(kSubjects) ? "instance" : subject->type);
    }
    for (const Subject& subject : kSubjects) {
        if (subject.parameter.find('.') != subject.parameter.npos &&
            !request_values(info, &request, subject.parameter).empty()) {
            types.emplace_back(subject.type);
        }
    }
    return types;
}

Result<control::ReservationView> launch_plain(const Services& services, const Context& context,
                                              const RunInstancesRequest& request,
                                              LaunchFor purpose) {
    TRY_ASSIGN(auto input, to_launch_input(context, request));
    input.prepares = purpose == LaunchFor::preparing;
    TRY(take_image(services, context, request, input));
    TRY(take_token(context, request, input));
    return services.instances.run(context.caller, input);
}

}  // namespace

Result<control::RunInstancesInput> to_launch_input(const Context& context,
                                                   const RunInstancesRequest& request) {
    TRY(refuse_unbuilt(request));
    control::RunInstancesInput input;
    input.instance_type = request.instance_type.value_or("");
    input.min_count = request.min_count.value_or(0);
    input.max_count = request.max_count.value_or(0);
    TRY(take_placement(request, input));
    TRY(take_network(request, input));
    TRY_ASSIGN(input.block_device_mappings, to_mappings(request.block_device_mappings));
    TRY_ASSIGN(input.shutdown_behavior,
               to_enum(request.instance_initiated_shutdown_behavior,
                       "InstanceInitiatedShutdownBehavior", model::ShutdownBehavior::stop));
    input.disable_api_termination = request.disable_api_termination.value_or(false);
    input.disable_api_stop = request.disable_api_stop.value_or(false);
    input.ebs_optimized = request.ebs_optimized.value_or(false);
    input.detailed_monitoring = request.monitoring && request.monitoring->enabled.value_or(false);
    if (request.credit_specification) {
        TRY_ASSIGN(input.cpu_credits,
                   to_enum(request.credit_specification->cpu_credits,
                           "CreditSpecification.CpuCredits", model::CpuCredits::standard));
    }
    if (request.capacity_reservation_specification) {
        TRY_ASSIGN(
            input.capacity_preference,
            to_enum(request.capacity_reservation_specification->capacity_reservation_preference,
                    kPreferenceParameter, model::CapacityPreference::open));
    }
    input.key_name = request.key_name.value_or("");
    if (request.iam_instance_profile) {
        input.profile.arn = request.iam_instance_profile->arn.value_or("");
        input.profile.name = request.iam_instance_profile->name.value_or("");
    }
    TRY_ASSIGN(input.user_data, to_user_data(request.user_data));
    if (request.metadata_options) {
        TRY_ASSIGN(input.metadata_options, to_metadata_options(*request.metadata_options));
    }
    input.tags = to_tags(request.tag_specifications);
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

Result<control::ReservationView> launch(const Services& services, const Context& context,
                                        const RunInstancesRequest& request, LaunchFor purpose) {
    if (!request.launch_template) {
        return launch_plain(services, context, request, purpose);
    }
    // Before the template is looked at: it may have changed, or gone, since the first request.
    control::RunInstancesInput token;
    token.dry_run = request.dry_run.value_or(false);
    TRY(take_token(context, request, token));
    TRY_ASSIGN(auto known, services.instances.find_launched(context.caller, token));
    if (known) {
        return std::move(*known);
    }
    const LaunchTemplateSpecification& which = *request.launch_template;
    TRY_ASSIGN(const auto found, services.templates.find(context.caller,
                                                         {which.launch_template_id.value_or(""),
                                                          which.launch_template_name.value_or("")},
                                                         which.version.value_or("")));
    TRY_ASSIGN(const auto merged, merge_with_template(request, found.version.data));
    // The door asked about what the request itself names; this is with what the template adds.
    TRY(check_besides(context.caller, ops::RunInstances::info(), &merged));
    TRY_ASSIGN(auto input, to_launch_input(context, merged));
    TRY(take_image(services, context, merged, input));
    input.client_token = std::move(token.client_token);
    input.token_place = std::move(token.token_place);
    input.launch_template = {found.of.id, found.version.number, overridden(request)};
    input.prepares = purpose == LaunchFor::preparing;
    return services.instances.run(context.caller, input);
}

}  // namespace kiln::api::ec2
