// SPDX-License-Identifier: Apache-2.0
// GetLaunchTemplateData (LT-10): what would launch an instance like one that is there.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/metadata_options.h"
#include "api/generated/ec2/get_launch_template_data.h"
#include "control/api_errors.h"
#include "control/instance_types.h"
#include "control/tagging.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

using namespace ec2;

LaunchTemplateBlockDeviceMapping mapping_of(const model::Volume& volume,
                                            const model::VolumeAttachment& attachment) {
    LaunchTemplateBlockDeviceMapping mapping;
    mapping.device_name = attachment.device;
    LaunchTemplateEbsBlockDevice& ebs = mapping.ebs.emplace();
    ebs.delete_on_termination = attachment.delete_on_termination;
    ebs.encrypted = false;
    ebs.volume_size = static_cast<std::int32_t>(volume.size_gib);
    ebs.volume_type = std::string(model::to_string(volume.type));
    if (!volume.snapshot_id.empty()) {
        ebs.snapshot_id = volume.snapshot_id.str();
    }
    if (volume.iops) {
        ebs.iops = static_cast<std::int32_t>(*volume.iops);
    }
    if (volume.throughput_mibps) {
        ebs.throughput = static_cast<std::int32_t>(*volume.throughput_mibps);
    }
    return mapping;
}

// Without the interface's own id and address, which only one instance can have.
LaunchTemplateInstanceNetworkInterfaceSpecification interface_of(const model::Instance& instance) {
    LaunchTemplateInstanceNetworkInterfaceSpecification interface;
    interface.device_index = 0;
    interface.delete_on_termination = true;
    interface.subnet_id = instance.subnet_id.str();
    for (const model::SecurityGroupId& id : instance.security_groups) {
        interface.groups.push_back(id.str());
    }
    interface.associate_public_ip_address = !instance.no_public_ip;
    if (!instance.interface_description.empty()) {
        interface.description = instance.interface_description;
    }
    return interface;
}

void fill_options(const model::Instance& instance, ResponseLaunchTemplateData& data) {
    const auto shown = from_metadata_options(instance.metadata_options, "applied");
    LaunchTemplateInstanceMetadataOptions& options = data.metadata_options.emplace();
    options.http_tokens = shown.http_tokens;
    options.http_put_response_hop_limit = shown.http_put_response_hop_limit;
    options.http_endpoint = shown.http_endpoint;
    options.http_protocol_ipv6 = shown.http_protocol_ipv6;
    options.instance_metadata_tags = shown.instance_metadata_tags;
    // One that was resized may have what a launch of its type is refused.
    const control::InstanceType* const type = control::find_instance_type(instance.instance_type);
    if (instance.cpu_credits && type != nullptr && type->family->burstable) {
        data.credit_specification.emplace().cpu_credits =
            std::string(model::to_string(*instance.cpu_credits));
    }
    data.capacity_reservation_specification.emplace().capacity_reservation_preference =
        std::string(model::to_string(instance.capacity_preference));
    data.monitoring.emplace().enabled = instance.detailed_monitoring;
    LaunchTemplatePlacement& placement = data.placement.emplace();
    placement.availability_zone = instance.availability_zone;
    placement.tenancy = "default";
    placement.group_name = "";
}

void fill_tags(const std::vector<model::Tag>& tags, ResponseLaunchTemplateData& data) {
    std::vector<model::Tag> own;
    for (const model::Tag& tag : tags) {
        if (!control::is_reserved_tag(tag.key)) {
            own.push_back(tag);
        }
    }
    if (!own.empty()) {
        LaunchTemplateTagSpecification& specification = data.tag_specifications.emplace_back();
        specification.resource_type = "instance";
        specification.tags = from_tags(own);
    }
}

ResponseLaunchTemplateData data_like(const control::InstanceView& view) {
    const model::Instance& instance = view.instance;
    ResponseLaunchTemplateData data;
    data.image_id = instance.image_id.str();
    data.instance_type = instance.instance_type;
    data.ebs_optimized = instance.ebs_optimized;
    data.disable_api_termination = instance.disable_api_termination;
    data.disable_api_stop = instance.disable_api_stop;
    data.instance_initiated_shutdown_behavior =
        std::string(model::to_string(instance.shutdown_behavior));
    if (!instance.key_name.empty()) {
        data.key_name = instance.key_name;
    }
    if (instance.profile) {
        data.iam_instance_profile.emplace().arn = instance.profile->arn;
    }
    if (!instance.user_data.empty()) {
        data.user_data = base64_encode(instance.user_data);
    }
    for (const model::Volume& volume : view.volumes) {
        data.block_device_mappings.push_back(
            mapping_of(volume, model::attachment_to(volume, view.instance.id)));
    }
    if (control::has_interface(instance)) {
        data.network_interfaces.push_back(interface_of(instance));
    }
    fill_options(instance, data);
    fill_tags(view.tags, data);
    return data;
}

Result<GetLaunchTemplateDataResult> get(const Services& services, const Context& context,
                                        const GetLaunchTemplateDataRequest& request) {
    control::DescribeInstancesInput input;
    TRY_ASSIGN(input.ids.emplace_back(),
               model::parse_instance_id(request.instance_id.value_or("")));
    TRY_ASSIGN(const auto page, services.instances.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    GetLaunchTemplateDataResult result;
    result.launch_template_data = data_like(page.reservations.front().instances.front());
    return result;
}

}  // namespace

void add_launch_template_data_handler(Registry& registry, Services services) {
    registry.add<ops::GetLaunchTemplateData>(
        [services](Context& context, const GetLaunchTemplateDataRequest& request) {
            return get(services, context, request);
        });
}

}  // namespace kiln::api
