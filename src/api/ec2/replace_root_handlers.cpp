// SPDX-License-Identifier: Apache-2.0
// CreateReplaceRootVolumeTask, DescribeReplaceRootVolumeTasks.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/create_replace_root_volume_task.h"
#include "api/generated/ec2/describe_replace_root_volume_tasks.h"
#include "control/api_errors.h"
#include "control/replace_roots.h"

namespace kiln::api {
namespace {

using namespace ec2;

ReplaceRootVolumeTask from_view(const control::ReplaceRootView& view) {
    const model::ReplaceRootTask& task = view.task;
    ReplaceRootVolumeTask out;
    out.replace_root_volume_task_id = task.id.str();
    out.instance_id = task.instance_id.str();
    out.task_state = std::string(model::to_string(task.state));
    out.start_time = format_iso8601(task.created);
    if (task.completed) {
        out.complete_time = format_iso8601(*task.completed);
    }
    if (!task.image_id.empty()) {
        out.image_id = task.image_id.str();
    }
    if (!task.snapshot_id.empty()) {
        out.snapshot_id = task.snapshot_id.str();
    }
    out.delete_replaced_root_volume = task.delete_replaced_root;
    if (!view.tags.empty()) {
        out.tags = from_tags(view.tags);
    }
    return out;
}

Result<CreateReplaceRootVolumeTaskResult> create(
    const Services& services, const Context& context,
    const CreateReplaceRootVolumeTaskRequest& request) {
    if (!given(request.instance_id)) {
        return control::errors::missing_parameter("InstanceId");
    }
    control::ReplaceRootInput input;
    TRY_ASSIGN(input.instance, model::parse_instance_id(*request.instance_id));
    if (given(request.snapshot_id)) {
        TRY_ASSIGN(input.snapshot, model::parse_snapshot_id(*request.snapshot_id));
    }
    if (given(request.image_id)) {
        TRY_ASSIGN(input.image, model::parse_image_id(*request.image_id));
    }
    if (given(request.volume_id)) {
        TRY_ASSIGN(input.volume, model::parse_volume_id(*request.volume_id));
    }
    if (request.volume_initialization_rate.has_value()) {
        const std::int64_t rate = *request.volume_initialization_rate;
        if (!std::in_range<std::uint32_t>(rate)) {
            return bad_enum(std::to_string(rate), "VolumeInitializationRate");
        }
        input.initialization_rate_mibps = static_cast<std::uint32_t>(rate);
    }
    input.delete_replaced_root = request.delete_replaced_root_volume.value_or(false);
    input.tags = to_tags(request.tag_specifications);
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.replace_roots.create(context.caller, input));
    CreateReplaceRootVolumeTaskResult result;
    result.replace_root_volume_task = from_view(view);
    return result;
}

Result<DescribeReplaceRootVolumeTasksResult> describe(
    const Services& services, const Context& context,
    const DescribeReplaceRootVolumeTasksRequest& request) {
    control::DescribeReplaceRootsInput input;
    for (const std::string& id : request.replace_root_volume_task_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_replace_root_task_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.replace_roots.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeReplaceRootVolumeTasksResult result;
    result.replace_root_volume_tasks.give();
    for (const control::ReplaceRootView& view : page.items) {
        result.replace_root_volume_tasks.push_back(from_view(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_replace_root_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateReplaceRootVolumeTask>(
        [services](Context& context, const CreateReplaceRootVolumeTaskRequest& request) {
            return create(services, context, request);
        });
    registry.add<ops::DescribeReplaceRootVolumeTasks>(
        [services](Context& context, const DescribeReplaceRootVolumeTasksRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
