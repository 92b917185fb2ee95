// SPDX-License-Identifier: Apache-2.0
// EnableFastLaunch, DisableFastLaunch, DescribeFastLaunchImages (FLN-1 .. FLN-7), and the launch of
// the machines that prepare snapshots.
#include "api/access.h"
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/launch_request.h"
#include "api/ec2/paging.h"
#include "api/ec2/template_convert.h"
#include "api/generated/ec2/describe_fast_launch_images.h"
#include "api/generated/ec2/disable_fast_launch.h"
#include "api/generated/ec2/enable_fast_launch.h"
#include "control/api_errors.h"
#include "control/fast_launches.h"

namespace kiln::api {
namespace {

using namespace ec2;

// Where the template says nothing: EC2 prepares on t3.
constexpr char kPreparingType[] = "t3.medium";

// FLN-3: what a template must not change, and what it leaves open.
Result<RunInstancesRequest> to_launch(const Services& services, const control::Caller& caller,
                                      const control::PreparingLaunch& what) {
    RunInstancesRequest request;
    request.image_id = what.image.str();
    request.min_count = 1;
    request.max_count = 1;
    request.instance_initiated_shutdown_behavior = "stop";
    request.disable_api_termination = false;
    request.dry_run = what.dry_run;
    if (!what.client_token.empty()) {
        request.client_token = what.client_token;
    }
    if (!what.tags.empty()) {
        for (const char* type : {"instance", "volume", "network-interface"}) {
            auto& tags = request.tag_specifications.emplace_back();
            tags.resource_type = type;
            tags.tags = from_tags(what.tags);
        }
    }
    bool has_type = false;
    bool has_metadata_options = false;
    if (!what.template_id.empty()) {
        auto& which = request.launch_template.emplace();
        which.launch_template_id = what.template_id.str();
        which.version = what.template_version;
        TRY_ASSIGN(const auto found, services.templates.find(caller, {what.template_id.str(), {}},
                                                             what.template_version));
        TRY_ASSIGN(const auto data, data_of(found.version.data));
        has_type = given(data.instance_type);
        has_metadata_options = data.metadata_options.has_value();
    }
    if (!has_type) {
        request.instance_type = kPreparingType;
    }
    if (!has_metadata_options) {  // by its tags a guest knows what it is started for
        request.metadata_options.emplace().instance_metadata_tags = "enabled";
    }
    return request;
}

Result<model::InstanceId> launch_to_prepare(const Services& services, const control::Caller& caller,
                                            const control::PreparingLaunch& what) {
    TRY_ASSIGN(const auto request, to_launch(services, caller, what));
    TRY(check_access(services.resource_lookup, caller, ops::RunInstances::info(), &request));
    Context context;
    context.caller = caller;
    context.request_hash = what.client_token;  // it names one machine
    TRY_ASSIGN(const auto reservation, launch(services, context, request, LaunchFor::preparing));
    return reservation.instances.front().instance.id;
}

// OwnerId is told of own images alone, as EC2 does it.
template <class Item>
void fill(const control::FastLaunchView& view, Item& item) {
    const model::FastLaunch& launch = view.launch;
    item.image_id = view.image.str();
    item.resource_type = "snapshot";
    item.snapshot_configuration.emplace().target_resource_count =
        static_cast<std::int32_t>(launch.target);
    if (!launch.template_id.empty()) {
        auto& which = item.launch_template.emplace();
        which.launch_template_id = launch.template_id.str();
        which.launch_template_name = launch.template_name;
        which.version = launch.template_version;
    }
    item.max_parallel_launches = static_cast<std::int32_t>(launch.parallel);
    if (view.image_owner == launch.account) {
        item.owner_id = launch.account.str();
    }
    item.state = std::string(model::to_string(launch.state));
    item.state_transition_reason = launch.reason;
    item.state_transition_time = launch.changed;
}

Result<EnableFastLaunchResult> enable(const Services& services, const Context& context,
                                      const EnableFastLaunchRequest& request) {
    if (!given(request.image_id)) {
        return control::errors::missing_parameter("ImageId");
    }
    control::EnableFastLaunchInput input;
    TRY_ASSIGN(input.image, model::parse_image_id(*request.image_id));
    input.resource_type = request.resource_type.value_or("");
    if (request.snapshot_configuration &&
        request.snapshot_configuration->target_resource_count.has_value()) {
        input.target = *request.snapshot_configuration->target_resource_count;
    }
    if (request.max_parallel_launches.has_value()) {
        input.parallel = *request.max_parallel_launches;
    }
    if (request.launch_template) {
        const auto& which = *request.launch_template;
        if (!given(which.version)) {
            return control::errors::missing_parameter("LaunchTemplate.Version");
        }
        input.launch_template = control::TemplateName{which.launch_template_id.value_or(""),
                                                      which.launch_template_name.value_or("")};
        input.template_version = *which.version;
    }
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.fast_launches.enable(context.caller, input));
    EnableFastLaunchResult result;
    fill(view, result);
    return result;
}

Result<DisableFastLaunchResult> disable(const Services& services, const Context& context,
                                        const DisableFastLaunchRequest& request) {
    if (!given(request.image_id)) {
        return control::errors::missing_parameter("ImageId");
    }
    control::DisableFastLaunchInput input;
    TRY_ASSIGN(input.image, model::parse_image_id(*request.image_id));
    input.force = request.force.value_or(false);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.fast_launches.disable(context.caller, input));
    DisableFastLaunchResult result;
    fill(view, result);
    return result;
}

Result<DescribeFastLaunchImagesResult> describe(const Services& services, const Context& context,
                                                const DescribeFastLaunchImagesRequest& request) {
    control::DescribeFastLaunchesInput input;
    for (const std::string& id : request.image_ids) {
        TRY_ASSIGN(input.images.emplace_back(), model::parse_image_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    TRY_ASSIGN(const auto page, services.fast_launches.describe(context.caller, input));
    DescribeFastLaunchImagesResult result;
    result.fast_launch_images.give();
    for (const control::FastLaunchView& view : page.items) {
        fill(view, result.fast_launch_images.emplace_back());
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_fast_launch_handlers(Registry& registry, Services services) {
    services.fast_launches.launch_with(
        [services](const control::Caller& caller, const control::PreparingLaunch& what) {
            return launch_to_prepare(services, caller, what);
        });
    registry.add<ops::EnableFastLaunch>(
        [services](Context& context, const EnableFastLaunchRequest& request) {
            return enable(services, context, request);
        });
    registry.add<ops::DisableFastLaunch>(
        [services](Context& context, const DisableFastLaunchRequest& request) {
            return disable(services, context, request);
        });
    registry.add<ops::DescribeFastLaunchImages>(
        [services](Context& context, const DescribeFastLaunchImagesRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
