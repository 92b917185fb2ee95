// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/launch_limits.h"
#include "api/ec2/metadata_options.h"
#include "api/ec2/network_convert.h"
#include "api/generated/ec2/describe_instances.h"
#include "api/generated/ec2/modify_instance_metadata_options.h"
#include "api/generated/ec2/run_instances.h"
#include "api/generated/ec2/terminate_instances.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

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

Result<control::RunInstancesInput> to_input(const Services& services, const Context& context,
                                            const RunInstancesRequest& request) {
    TRY(refuse_unbuilt(request));
    control::RunInstancesInput input;
    if (!given(request.image_id)) {
        return Error::api(Code::invalid_argument, "MissingParameter",
                          "The request must contain the parameter ImageId");
    }
    TRY_ASSIGN(const std::string image,
               services.parameters.resolve(context.caller, *request.image_id));  // RUN-14
    TRY_ASSIGN(input.image_id, model::parse_image_id(image));
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
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

Result<DescribeInstancesResult> describe(const Services& services, const Context& context,
                                         const DescribeInstancesRequest& request) {
    control::DescribeInstancesInput input;
    TRY_ASSIGN(input.ids, to_instance_ids(request.instance_ids));
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    TRY_ASSIGN(const auto page, services.instances.describe(context.caller, input));
    DescribeInstancesResult result;
    result.reservations.give();
    for (const control::ReservationView& reservation : page.reservations) {
        result.reservations.push_back(from_reservation(reservation));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Result<TerminateInstancesResult> terminate(const Services& services, const Context& context,
                                           const TerminateInstancesRequest& request) {
    control::TerminateInput input;
    TRY_ASSIGN(input.ids, to_instance_ids(request.instance_ids));
    input.force = request.force.value_or(false);
    input.skip_os_shutdown = request.skip_os_shutdown.value_or(false);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto changes, services.instances.terminate(context.caller, input));
    TerminateInstancesResult result;
    result.terminating_instances = from_changes(changes);
    return result;
}

Result<ModifyInstanceMetadataOptionsResult> modify_metadata(
    const Services& services, const Context& context,
    const ModifyInstanceMetadataOptionsRequest& request) {
    control::ModifyMetadataOptionsInput input;
    TRY_ASSIGN(input.id, model::parse_instance_id(request.instance_id.value_or("")));
    TRY_ASSIGN(input.options, to_metadata_options(request));
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto options,
               services.instances.modify_metadata_options(context.caller, input));
    ModifyInstanceMetadataOptionsResult result;
    result.instance_id = input.id.str();
    result.instance_metadata_options = from_metadata_options(options, "pending");
    return result;
}

}  // namespace

void add_instance_handlers(Registry& registry, Services services) {
    registry.add<ops::RunInstances>(
        [services](Context& context, const RunInstancesRequest& request) -> Result<Reservation> {
            TRY_ASSIGN(const auto input, to_input(services, context, request));
            TRY_ASSIGN(const auto reservation, services.instances.run(context.caller, input));
            return from_reservation(reservation);
        });
    registry.add<ops::DescribeInstances>(
        [services](Context& context, const DescribeInstancesRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::ModifyInstanceMetadataOptions>(
        [services](Context& context, const ModifyInstanceMetadataOptionsRequest& request) {
            return modify_metadata(services, context, request);
        });
    registry.add<ops::TerminateInstances>(
        [services](Context& context, const TerminateInstancesRequest& request) {
            return terminate(services, context, request);
        });
}

}  // namespace kiln::api
