// SPDX-License-Identifier: Apache-2.0
// ModifyVolume, DescribeVolumesModifications.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/describe_volumes_modifications.h"
#include "api/generated/ec2/modify_volume.h"
#include "control/api_errors.h"
#include "control/volume_limits.h"
#include "control/volume_modifications.h"

namespace kiln::api {
namespace {

using namespace ec2;

VolumeModification from_modification(const model::Volume& volume) {
    const model::VolumeModification& modification = *volume.modification;
    VolumeModification out;
    out.volume_id = volume.id.str();
    out.modification_state = std::string(model::to_string(modification.state));
    if (!modification.status_message.empty()) {
        out.status_message = modification.status_message;
    }
    const auto put = [](const model::VolumeShape& kept, auto& size, auto& type, auto& iops,
                        auto& throughput, auto& multi_attach) {
        const model::VolumeShape shape = control::with_type_figures(kept);  // VOL-20
        size = static_cast<std::int32_t>(shape.size_gib);
        type = std::string(model::to_string(shape.type));
        if (shape.iops) {
            iops = static_cast<std::int32_t>(*shape.iops);
        }
        if (shape.throughput_mibps) {
            throughput = static_cast<std::int32_t>(*shape.throughput_mibps);
        }
        multi_attach = shape.multi_attach;
    };
    put(modification.original, out.original_size, out.original_volume_type, out.original_iops,
        out.original_throughput, out.original_multi_attach_enabled);
    put(modification.target, out.target_size, out.target_volume_type, out.target_iops,
        out.target_throughput, out.target_multi_attach_enabled);
    out.progress = control::progress_of(modification);
    out.start_time = modification.started;
    if (modification.ended) {
        out.end_time = *modification.ended;
    }
    return out;
}

Result<ModifyVolumeResult> modify(const Services& services, const Context& context,
                                  const ModifyVolumeRequest& request) {
    if (!given(request.volume_id)) {
        return control::errors::missing_parameter("VolumeId");
    }
    control::ModifyVolumeInput input;
    TRY_ASSIGN(input.volume, model::parse_volume_id(*request.volume_id));
    EbsBlockDevice ebs;
    ebs.volume_size = request.size;
    ebs.volume_type = request.volume_type;
    ebs.iops = request.iops;
    ebs.throughput = request.throughput;
    TRY_ASSIGN(const model::EbsBlockDevice wanted, to_ebs(ebs));
    input.size_gib = wanted.volume_size_gib;
    input.type = wanted.volume_type;
    input.iops = wanted.iops;
    input.throughput_mibps = wanted.throughput_mibps;
    if (request.multi_attach_enabled.has_value()) {
        input.multi_attach = *request.multi_attach_enabled;
    }
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto volume, services.modifications.modify(context.caller, input));
    ModifyVolumeResult result;
    result.volume_modification = from_modification(volume);
    return result;
}

Result<DescribeVolumesModificationsResult> describe(
    const Services& services, const Context& context,
    const DescribeVolumesModificationsRequest& request) {
    control::DescribeModificationsInput input;
    for (const std::string& id : request.volume_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_volume_id(id));
    }
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.modifications.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeVolumesModificationsResult result;
    result.volumes_modifications.give();
    for (const model::Volume& volume : page.items) {
        result.volumes_modifications.push_back(from_modification(volume));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

}  // namespace

void add_volume_modification_handlers(Registry& registry, Services services) {
    registry.add<ops::ModifyVolume>(
        [services](Context& context, const ModifyVolumeRequest& request) {
            return modify(services, context, request);
        });
    registry.add<ops::DescribeVolumesModifications>(
        [services](Context& context, const DescribeVolumesModificationsRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
