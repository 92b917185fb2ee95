// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/create_snapshot.h"
#include "api/generated/ec2/create_snapshots.h"
#include "api/generated/ec2/delete_snapshot.h"
#include "api/generated/ec2/describe_snapshots.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<model::VolumeId> to_volume_id(const std::optional<std::string>& text) {
    if (!given(text)) {
        return control::errors::missing_parameter("VolumeId");
    }
    return model::parse_volume_id(*text);
}

std::string state_text(const model::Snapshot& snapshot) {
    return std::string(model::to_string(snapshot.state));
}

Snapshot from_snapshot(const control::SnapshotView& view) {
    const model::Snapshot& from = view.snapshot;
    Snapshot to;
    to.snapshot_id = from.id.str();
    to.volume_id = from.volume_id.str();
    to.state = state_text(from);
    if (!from.state_message.empty()) {
        to.state_message = from.state_message;
    }
    to.start_time = from.created;
    to.progress = control::progress_text(from);
    to.owner_id = from.owner_id.str();
    if (!from.owner_alias.empty()) {
        to.owner_alias = from.owner_alias;
    }
    to.description = from.description;
    to.volume_size = static_cast<std::int32_t>(from.volume_size_gib);
    to.encrypted = from.encrypted;
    if (!from.kms_key_id.empty()) {
        to.kms_key_id = from.kms_key_id;
    }
    to.storage_tier = "standard";
    if (!from.local_zone.empty()) {
        to.availability_zone = from.local_zone;
    }
    if (from.completed) {
        to.completion_time = *from.completed;
    }
    if (from.full_size_bytes) {
        to.full_snapshot_size_in_bytes = static_cast<std::int64_t>(*from.full_size_bytes);
    }
    if (from.transfer_type) {
        to.transfer_type = std::string(model::to_string(*from.transfer_type));
    }
    if (from.completion_minutes) {
        to.completion_duration_minutes = static_cast<std::int32_t>(*from.completion_minutes);
    }
    to.tags = from_tags(view.tags);
    return to;
}

SnapshotInfo from_snapshot_of_set(const control::SnapshotView& view) {
    const model::Snapshot& from = view.snapshot;
    SnapshotInfo to;
    to.snapshot_id = from.id.str();
    to.volume_id = from.volume_id.str();
    to.state = state_text(from);
    to.start_time = from.created;
    to.progress = control::progress_text(from);
    to.owner_id = from.owner_id.str();
    to.description = from.description;
    to.volume_size = static_cast<std::int32_t>(from.volume_size_gib);
    to.encrypted = from.encrypted;
    if (!from.local_zone.empty()) {
        to.availability_zone = from.local_zone;
    }
    to.tags = from_tags(view.tags);
    return to;
}

Result<Snapshot> create(const Services& services, const Context& context,
                        const CreateSnapshotRequest& request) {
    control::CreateSnapshotInput input;
    input.place = {request.location.value_or(""), request.outpost_arn.value_or("")};
    TRY_ASSIGN(input.volume_id, to_volume_id(request.volume_id));
    input.description = request.description.value_or("");
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.snapshots.create(context.caller, input));
    return from_snapshot(view);
}

Result<control::CreateSnapshotsInput> to_input(const CreateSnapshotsRequest& request) {
    control::CreateSnapshotsInput input;
    input.place = {request.location.value_or(""), request.outpost_arn.value_or("")};
    if (!request.instance_specification || !given(request.instance_specification->instance_id)) {
        return control::errors::missing_parameter("InstanceSpecification.InstanceId");
    }
    const InstanceSpecification& instance = *request.instance_specification;
    TRY_ASSIGN(input.instance_id, model::parse_instance_id(*instance.instance_id));
    input.exclude_boot_volume = instance.exclude_boot_volume.value_or(false);
    for (const std::string& id : instance.exclude_data_volume_ids) {
        TRY_ASSIGN(input.exclude_data_volumes.emplace_back(), model::parse_volume_id(id));
    }
    input.copy_volume_tags = given(request.copy_tags_from_source);  // its only value is `volume`
    input.description = request.description.value_or("");
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

Result<CreateSnapshotsResult> create_set(const Services& services, const Context& context,
                                         const CreateSnapshotsRequest& request) {
    TRY_ASSIGN(const auto input, to_input(request));
    TRY_ASSIGN(const auto views, services.snapshots.create_set(context.caller, input));
    CreateSnapshotsResult result;
    result.snapshots.give();
    for (const control::SnapshotView& view : views) {
        result.snapshots.push_back(from_snapshot_of_set(view));
    }
    return result;
}

Result<DescribeSnapshotsResult> describe(const Services& services, const Context& context,
                                         const DescribeSnapshotsRequest& request) {
    control::DescribeSnapshotsInput input;
    for (const std::string& id : request.snapshot_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_snapshot_id(id));
    }
    input.owners = request.owner_ids.items();
    input.restorable_by = request.restorable_by_user_ids.items();
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.snapshots.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeSnapshotsResult result;
    result.snapshots.give();
    for (const control::SnapshotView& view : page.items) {
        result.snapshots.push_back(from_snapshot(view));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Result<Void> remove(const Services& services, const Context& context,
                    const DeleteSnapshotRequest& request) {
    if (!given(request.snapshot_id)) {
        return control::errors::missing_parameter("SnapshotId");
    }
    TRY_ASSIGN(const auto id, model::parse_snapshot_id(*request.snapshot_id));
    TRY(services.snapshots.remove(context.caller, id, request.dry_run.value_or(false)));
    return Void{};
}

}  // namespace

void add_snapshot_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateSnapshot>(
        [services](Context& context, const CreateSnapshotRequest& request) {
            return create(services, context, request);
        });
    registry.add<ops::CreateSnapshots>(
        [services](Context& context, const CreateSnapshotsRequest& request) {
            return create_set(services, context, request);
        });
    registry.add<ops::DescribeSnapshots>(
        [services](Context& context, const DescribeSnapshotsRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::DeleteSnapshot>(
        [services](Context& context, const DeleteSnapshotRequest& request) {
            return remove(services, context, request);
        });
}

}  // namespace kiln::api
