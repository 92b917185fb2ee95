// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/launch_request.h"
#include "api/ec2/metadata_options.h"
#include "api/generated/ec2/describe_instances.h"
#include "api/generated/ec2/modify_instance_metadata_options.h"
#include "api/generated/ec2/run_instances.h"
#include "api/generated/ec2/terminate_instances.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

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
    TRY_ASSIGN(const auto page, services.instances.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
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
            TRY_ASSIGN(const auto reservation, launch(services, context, request));
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
