// SPDX-License-Identifier: Apache-2.0
// CreateVolume, CopyVolumes, DescribeVolumes, DeleteVolume, AttachVolume, DetachVolume.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/attach_volume.h"
#include "api/generated/ec2/copy_volumes.h"
#include "api/generated/ec2/create_volume.h"
#include "api/generated/ec2/delete_volume.h"
#include "api/generated/ec2/describe_volumes.h"
#include "api/generated/ec2/detach_volume.h"
#include "control/api_errors.h"
#include "control/volume_limits.h"
#include "control/volumes.h"

namespace kiln::api {
namespace {

using namespace ec2;

VolumeAttachment from_attachment(const model::VolumeId& volume,
                                 const model::VolumeAttachment& attachment) {
    VolumeAttachment out;
    out.volume_id = volume.str();
    out.instance_id = attachment.instance_id.str();
    out.device = attachment.device;
    out.state = std::string(model::to_string(attachment.state));
    out.attach_time = attachment.attach_time;
    out.delete_on_termination = attachment.delete_on_termination;
    return out;
}

Volume from_volume(const control::VolumeView& view) {
    const model::Volume& volume = view.volume;
    Volume out;
    out.volume_id = volume.id.str();
    out.size = static_cast<std::int32_t>(volume.size_gib);
    out.snapshot_id = volume.snapshot_id.str();  // VOL-13; clients expect it, empty without one
    out.availability_zone = volume.availability_zone;
    out.availability_zone_id = view.zone_id;
    if (!volume.outpost_arn.empty()) {
        out.outpost_arn = volume.outpost_arn;
    }
    out.state = std::string(model::to_string(volume.state));
    out.create_time = volume.created;
    out.volume_type = std::string(model::to_string(volume.type));
    const model::VolumeShape shape = control::with_type_figures(model::shape_of(volume));  // VOL-20
    if (shape.iops) {
        out.iops = static_cast<std::int32_t>(*shape.iops);
    }
    if (shape.throughput_mibps) {
        out.throughput = static_cast<std::int32_t>(*shape.throughput_mibps);
    }
    if (volume.fast_restored) {
        out.fast_restored = true;
    }
    if (volume.initialization_rate_mibps) {
        out.volume_initialization_rate =
            static_cast<std::int32_t>(*volume.initialization_rate_mibps);
    }
    out.encrypted = volume.encrypted;
    out.multi_attach_enabled = volume.multi_attach;
    if (!volume.source_volume.empty()) {
        out.source_volume_id = volume.source_volume.str();  // VOL-12
    }
    out.operator_ = unmanaged();
    out.attachments.give();
    for (const model::VolumeAttachment& attachment : volume.attachments) {
        out.attachments.push_back(from_attachment(volume.id, attachment));
    }
    if (!view.tags.empty()) {
        out.tags = from_tags(view.tags);
    }
    return out;
}

Status refuse_unbuilt(const CreateVolumeRequest& request) {
    if (request.operator_) {
        return not_built("Operator");
    }
    return ok();
}

Result<Volume> create(const Services& services, const Context& context,
                      const CreateVolumeRequest& request) {
    TRY(refuse_unbuilt(request));
    if (given(request.availability_zone) && given(request.availability_zone_id)) {  // REG-2
        return control::errors::invalid_parameter_combination(
            "AvailabilityZone and AvailabilityZoneId may not be given together.");
    }
    EbsBlockDevice ebs;
    ebs.snapshot_id = request.snapshot_id;
    ebs.volume_size = request.size;
    ebs.volume_type = request.volume_type;
    ebs.iops = request.iops;
    ebs.throughput = request.throughput;
    ebs.volume_initialization_rate = request.volume_initialization_rate;
    ebs.encrypted = request.encrypted;
    ebs.kms_key_id = request.kms_key_id;
    control::CreateVolumeInput input;
    TRY_ASSIGN(input.ebs, to_ebs(ebs));
    input.availability_zone = given(request.availability_zone)
                                  ? *request.availability_zone
                                  : request.availability_zone_id.value_or("");
    input.outpost_arn = request.outpost_arn.value_or("");
    input.multi_attach = request.multi_attach_enabled.value_or(false);
    input.tags = to_tags(request.tag_specifications);
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.volumes.create(context.caller, input));
    Volume out = from_volume(view);
    out.attachments = {};    // VOL-2: the answer has none
    out.fast_restored = {};  // FS-2: told by DescribeVolumes alone
    return out;
}

Result<CopyVolumesResult> copy(const Services& services, const Context& context,
                               const CopyVolumesRequest& request) {
    if (!given(request.source_volume_id)) {
        return control::errors::missing_parameter("SourceVolumeId");
    }
    if (request.encrypted.value_or(false)) {
        return not_built("Encrypted");
    }
    if (given(request.kms_key_id)) {
        return not_built("KmsKeyId");
    }
    EbsBlockDevice ebs;
    ebs.volume_size = request.size;
    ebs.volume_type = request.volume_type;
    ebs.iops = request.iops;
    ebs.throughput = request.throughput;
    control::CopyVolumeInput input;
    TRY_ASSIGN(input.source, model::parse_volume_id(*request.source_volume_id));
    TRY_ASSIGN(input.ebs, to_ebs(ebs));
    input.multi_attach = request.multi_attach_enabled.value_or(false);
    input.tags = to_tags(request.tag_specifications);
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.volume_copies.copy(context.caller, input));
    Volume out = from_volume(view);
    out.attachments = {};  // as of CreateVolume
    CopyVolumesResult result;
    result.volumes.push_back(std::move(out));
    return result;
}

Result<DescribeVolumesResult> describe(const Services& services, const Context& context,
                                       const DescribeVolumesRequest& request) {
    control::DescribeVolumesInput input;
    for (const std::string& id : request.volume_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_volume_id(id));
    }
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.volumes.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeVolumesResult result;
    result.volumes.give();
    for (const control::VolumeView& view : page.items) {
        result.volumes.push_back(from_volume(view));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Result<VolumeAttachment> attach(const Services& services, const Context& context,
                                const AttachVolumeRequest& request) {
    if (!given(request.volume_id) || !given(request.instance_id) || !given(request.device)) {
        return control::errors::missing_parameter(!given(request.volume_id)     ? "VolumeId"
                                                  : !given(request.instance_id) ? "InstanceId"
                                                                                : "Device");
    }
    if (request.ebs_card_index.value_or(0) != 0) {
        return not_built("EbsCardIndex");
    }
    control::AttachInput input;
    TRY_ASSIGN(input.volume, model::parse_volume_id(*request.volume_id));
    TRY_ASSIGN(input.instance, model::parse_instance_id(*request.instance_id));
    input.device = *request.device;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto attachment, services.volumes.attach(context.caller, input));
    return from_attachment(input.volume, attachment);
}

Result<VolumeAttachment> detach(const Services& services, const Context& context,
                                const DetachVolumeRequest& request) {
    if (!given(request.volume_id)) {
        return control::errors::missing_parameter("VolumeId");
    }
    control::DetachInput input;
    TRY_ASSIGN(input.volume, model::parse_volume_id(*request.volume_id));
    if (given(request.instance_id)) {
        TRY_ASSIGN(input.instance, model::parse_instance_id(*request.instance_id));
    }
    input.device = request.device.value_or("");
    input.force = request.force.value_or(false);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto attachment, services.volumes.detach(context.caller, input));
    return from_attachment(input.volume, attachment);
}

}  // namespace

void add_volume_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateVolume>(
        [services](Context& context, const CreateVolumeRequest& request) {
            return create(services, context, request);
        });
    registry.add<ops::CopyVolumes>([services](Context& context, const CopyVolumesRequest& request) {
        return copy(services, context, request);
    });
    registry.add<ops::DescribeVolumes>(
        [services](Context& context, const DescribeVolumesRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::DeleteVolume>(
        [services](Context& context, const DeleteVolumeRequest& request) -> Result<Void> {
            if (!given(request.volume_id)) {
                return control::errors::missing_parameter("VolumeId");
            }
            TRY_ASSIGN(const auto id, model::parse_volume_id(*request.volume_id));
            TRY(services.volumes.remove(context.caller, id, request.dry_run.value_or(false)));
            return Void{};
        });
    registry.add<ops::AttachVolume>(
        [services](Context& context, const AttachVolumeRequest& request) {
            return attach(services, context, request);
        });
    registry.add<ops::DetachVolume>(
        [services](Context& context, const DetachVolumeRequest& request) {
            return detach(services, context, request);
        });
}

}  // namespace kiln::api
