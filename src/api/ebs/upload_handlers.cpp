// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ebs/convert.h"
#include "api/ebs/handlers.h"
#include "api/generated/ebs/complete_snapshot.h"
#include "api/generated/ebs/put_snapshot_block.h"
#include "api/generated/ebs/start_snapshot.h"
#include "control/ebs_errors.h"

namespace kiln::api {
namespace {

Result<ebs::StartSnapshotResponse> start_snapshot(control::SnapshotUploads& uploads,
                                                  const Context& context,
                                                  const ebs::StartSnapshotRequest& request) {
    control::StartSnapshotInput input;
    input.volume_size_gib = *request.volume_size;
    if (non_empty(request.parent_snapshot_id) != nullptr) {
        TRY_ASSIGN(input.parent, to_snapshot_id(*request.parent_snapshot_id));
    }
    input.description = request.description.value_or("");
    input.client_token = request.client_token.value_or("");
    input.encryption = request.encrypted.value_or(false) || request.kms_key_arn.has_value();
    if (request.timeout.has_value()) {
        input.timeout_minutes = *request.timeout;
    }
    for (const ebs::Tag& tag : request.tags) {
        input.tags.push_back({tag.key.value_or(""), tag.value.value_or("")});
    }
    TRY_ASSIGN(const auto started, uploads.start(context.caller, input));
    ebs::StartSnapshotResponse response;
    response.snapshot_id = started.snapshot.id.str();
    response.owner_id = started.snapshot.owner_id.str();
    response.status = std::string(model::to_string(started.snapshot.state));
    response.start_time = started.snapshot.created;
    response.volume_size = static_cast<std::int32_t>(started.snapshot.volume_size_gib);
    response.block_size = static_cast<std::int32_t>(control::kApiBlockBytes);
    if (!started.snapshot.description.empty()) {
        response.description = started.snapshot.description;
    }
    if (!started.parent.empty()) {
        response.parent_snapshot_id = started.parent.str();
    }
    for (const model::Tag& from : started.tags) {
        auto& to = response.tags.emplace_back();
        to.key = from.key;
        to.value = from.value;
    }
    return response;
}

Result<ebs::PutSnapshotBlockResponse> put_snapshot_block(
    control::SnapshotUploads& uploads, const Context& context,
    const ebs::PutSnapshotBlockRequest& request) {
    control::PutBlockInput input;
    TRY_ASSIGN(input.id, to_snapshot_id(*request.snapshot_id));
    input.index = *request.block_index;
    input.length = *request.data_length;
    input.checksum = *request.checksum;
    input.data = *request.block_data;
    if (request.progress.has_value()) {
        input.progress = *request.progress;
    }
    TRY(uploads.put(context.caller, input));
    ebs::PutSnapshotBlockResponse response;
    response.checksum = request.checksum;
    response.checksum_algorithm = request.checksum_algorithm;
    return response;
}

Result<ebs::CompleteSnapshotResponse> complete_snapshot(
    control::SnapshotUploads& uploads, const Context& context,
    const ebs::CompleteSnapshotRequest& request) {
    control::CompleteSnapshotInput input;
    TRY_ASSIGN(input.id, to_snapshot_id(*request.snapshot_id));
    input.changed_blocks = *request.changed_blocks_count;
    input.checksum = request.checksum.value_or("");
    const bool described =
        request.checksum_algorithm.has_value() && request.checksum_aggregation_method.has_value();
    const bool any = request.checksum_algorithm.has_value() ||
                     request.checksum_aggregation_method.has_value() || request.checksum;
    if (any && (!described || input.checksum.empty())) {
        return control::ebs_errors::invalid_parameter(
            "A checksum comes with its algorithm, SHA256, and its aggregation method, LINEAR.");
    }
    TRY_ASSIGN(const auto state, uploads.complete(context.caller, input));
    ebs::CompleteSnapshotResponse response;
    response.status = std::string(model::to_string(state));
    return response;
}

}  // namespace

void add_upload_handlers(Registry& registry, Services services) {
    control::SnapshotUploads& uploads = services.uploads;
    registry.add<ebs::ops::StartSnapshot>(
        [&uploads](Context& context, const ebs::StartSnapshotRequest& request) {
            return start_snapshot(uploads, context, request);
        });
    registry.add<ebs::ops::PutSnapshotBlock>(
        [&uploads](Context& context, const ebs::PutSnapshotBlockRequest& request) {
            return put_snapshot_block(uploads, context, request);
        });
    registry.add<ebs::ops::CompleteSnapshot>(
        [&uploads](Context& context, const ebs::CompleteSnapshotRequest& request) {
            return complete_snapshot(uploads, context, request);
        });
}

}  // namespace kiln::api
