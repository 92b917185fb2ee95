// SPDX-License-Identifier: Apache-2.0
// StartInstances, StopInstances, RebootInstances, DescribeInstanceStatus, GetConsoleOutput.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/describe_instance_status.h"
#include "api/generated/ec2/get_console_output.h"
#include "api/generated/ec2/get_console_screenshot.h"
#include "api/generated/ec2/reboot_instances.h"
#include "api/generated/ec2/start_instances.h"
#include "api/generated/ec2/stop_instances.h"
#include "control/api_errors.h"
#include "control/instance_power.h"
#include "control/instance_status.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<StopInstancesResult> stop(const Services& services, const Context& context,
                                 const StopInstancesRequest& request) {
    control::StopInput input;
    TRY_ASSIGN(input.ids, to_instance_ids(request.instance_ids));
    input.force = request.force.value_or(false);
    input.skip_os_shutdown = request.skip_os_shutdown.value_or(false);
    input.hibernate = request.hibernate.value_or(false);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto changes, services.power.stop(context.caller, input));
    StopInstancesResult result;
    result.stopping_instances = from_changes(changes);
    return result;
}

// InstanceStatusSummary or EbsStatusSummary.
template <class Summary>
Summary from_reachability(control::Reachability reachability) {
    Summary out;
    out.status = std::string(control::summary_of(reachability));
    if (reachability != control::Reachability::not_applicable) {
        auto& detail = out.details.emplace_back();
        detail.name = "reachability";
        detail.status = std::string(model::to_string(reachability));
    }
    return out;
}

InstanceStatus from_status(const control::InstanceStatusView& view) {
    InstanceStatus out;
    out.availability_zone = view.instance.availability_zone;
    out.availability_zone_id = view.zone_id;
    if (!view.instance.outpost_arn.empty()) {
        out.outpost_arn = view.instance.outpost_arn;
    }
    out.instance_id = view.instance.id.str();
    out.instance_state = from_state(view.instance.state);
    out.instance_status = from_reachability<InstanceStatusSummary>(view.machine);
    out.system_status = from_reachability<InstanceStatusSummary>(view.system);
    out.attached_ebs_status = from_reachability<EbsStatusSummary>(view.disks);
    out.operator_ = unmanaged();
    return out;
}

Result<DescribeInstanceStatusResult> describe_status(const Services& services,
                                                     const Context& context,
                                                     const DescribeInstanceStatusRequest& request) {
    control::DescribeStatusInput input;
    TRY_ASSIGN(input.ids, to_instance_ids(request.instance_ids));
    input.all = request.include_all_instances.value_or(false);
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.statuses.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeInstanceStatusResult result;
    result.instance_statuses.give();
    for (const control::InstanceStatusView& view : page.items) {
        result.instance_statuses.push_back(from_status(view));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Result<GetConsoleOutputResult> console(const Services& services, const Context& context,
                                       const GetConsoleOutputRequest& request) {
    if (!given(request.instance_id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    TRY_ASSIGN(const auto id, model::parse_instance_id(*request.instance_id));
    TRY_ASSIGN(const auto output, services.statuses.console(context.caller, id));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    GetConsoleOutputResult result;
    result.instance_id = id.str();
    if (output.written.value != 0) {
        result.timestamp = output.written;
        result.output = base64_encode(as_bytes(output.bytes));
    }
    return result;
}

Result<GetConsoleScreenshotResult> screenshot(const Services& services, const Context& context,
                                              const GetConsoleScreenshotRequest& request) {
    if (!given(request.instance_id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    TRY_ASSIGN(const auto id, model::parse_instance_id(*request.instance_id));
    TRY_ASSIGN(const std::string jpeg,
               services.statuses.screenshot(context.caller, id, request.wake_up.value_or(false),
                                            request.dry_run.value_or(false)));
    GetConsoleScreenshotResult result;
    result.instance_id = id.str();
    result.image_data = base64_encode(as_bytes(jpeg));
    return result;
}

}  // namespace

void add_instance_power_handlers(Registry& registry, Services services) {
    registry.add<ops::StartInstances>(
        [services](Context& context,
                   const StartInstancesRequest& request) -> Result<StartInstancesResult> {
            TRY_ASSIGN(const auto ids, to_instance_ids(request.instance_ids));
            TRY_ASSIGN(const auto changes,
                       services.power.start(context.caller, ids, request.dry_run.value_or(false)));
            StartInstancesResult result;
            result.starting_instances = from_changes(changes);
            return result;
        });
    registry.add<ops::StopInstances>(
        [services](Context& context, const StopInstancesRequest& request) {
            return stop(services, context, request);
        });
    registry.add<ops::RebootInstances>(
        [services](Context& context, const RebootInstancesRequest& request) -> Result<Void> {
            TRY_ASSIGN(const auto ids, to_instance_ids(request.instance_ids));
            TRY(services.power.reboot(context.caller, ids, request.dry_run.value_or(false)));
            return Void{};
        });
    registry.add<ops::DescribeInstanceStatus>(
        [services](Context& context, const DescribeInstanceStatusRequest& request) {
            return describe_status(services, context, request);
        });
    registry.add<ops::GetConsoleOutput>(
        [services](Context& context, const GetConsoleOutputRequest& request) {
            return console(services, context, request);
        });
    registry.add<ops::GetConsoleScreenshot>(
        [services](Context& context, const GetConsoleScreenshotRequest& request) {
            return screenshot(services, context, request);
        });
}

}  // namespace kiln::api
