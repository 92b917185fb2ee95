// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/image_convert.h"

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "model/organization.h"

namespace kiln::api::ec2 {
namespace {

constexpr char kV2[] = "v2.0";

template <class E>
std::string text_of(E value) {
    return std::string(model::to_string(value));
}

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::optional<std::string>() : text;
}

std::optional<std::string> if_so(bool condition, const char* text) {
    return condition ? std::optional<std::string>(text) : std::nullopt;
}

// IMG-3: the key is not shown.
BlockDeviceMapping from_mapping(const model::BlockDeviceMapping& from) {
    BlockDeviceMapping to;
    to.device_name = from.device_name;
    to.virtual_name = unless_empty(from.virtual_name);
    if (!from.ebs) {
        return to;
    }
    EbsBlockDevice& ebs = to.ebs.emplace();
    ebs.snapshot_id = unless_empty(from.ebs->snapshot_id.str());
    ebs.delete_on_termination = from.ebs->delete_on_termination.value_or(false);
    ebs.encrypted = from.ebs->encrypted.value_or(false);
    if (from.ebs->volume_size_gib) {
        ebs.volume_size = static_cast<std::int32_t>(*from.ebs->volume_size_gib);
    }
    if (from.ebs->volume_type) {
        ebs.volume_type = text_of(*from.ebs->volume_type);
    }
    if (from.ebs->iops) {
        ebs.iops = static_cast<std::int32_t>(*from.ebs->iops);
    }
    if (from.ebs->throughput_mibps) {
        ebs.throughput = static_cast<std::int32_t>(*from.ebs->throughput_mibps);
    }
    return to;
}

void fill_state(const control::ImageView& view, Image& to) {
    const model::Image& from = view.image;
    to.state = text_of(from.state);
    if (from.state_reason) {
        StateReason& reason = to.state_reason.emplace();
        reason.code = from.state_reason->code;
        reason.message = from.state_reason->message;
    }
    to.creation_date = control::whole_seconds(from.created);
    if (from.deprecation_time) {
        to.deprecation_time = control::whole_seconds(*from.deprecation_time);
    }
    if (view.own) {  // LP-14: for owners
        to.deregistration_protection = view.protection;
        if (from.last_launched) {
            to.last_launched_time = control::whole_seconds(*from.last_launched);
        }
    }
}

void fill_machine(const model::Image& from, Image& to) {
    to.architecture = text_of(from.architecture);
    to.image_type = text_of(from.type);
    to.virtualization_type = text_of(from.virtualization_type);
    to.hypervisor = "xen";
    to.platform = unless_empty(from.platform);
    to.platform_details = unless_empty(from.platform_details);
    to.usage_operation = unless_empty(from.usage_operation);
    to.root_device_name = unless_empty(from.root_device_name);
    to.root_device_type = text_of(from.root_device_type);
    to.kernel_id = unless_empty(from.kernel_id.str());
    to.ramdisk_id = unless_empty(from.ramdisk_id.str());
    to.ena_support = from.ena_support;
    to.sriov_net_support = if_so(from.sriov_net_simple, "simple");
    if (from.boot_mode) {
        to.boot_mode = text_of(*from.boot_mode);
    }
    to.tpm_support = if_so(from.tpm_v2, kV2);
    to.imds_support = if_so(from.imds_v2, kV2);
    to.free_tier_eligible = false;
    to.block_device_mappings.give();
    for (const model::BlockDeviceMapping& mapping : from.block_device_mappings) {
        to.block_device_mappings.push_back(from_mapping(mapping));
    }
}

// ITS-1
std::optional<InstanceTypeSpecification> from_instance_types(
    const model::InstanceTypeSpecification& from) {
    if (from == model::InstanceTypeSpecification{}) {
        return std::nullopt;
    }
    InstanceTypeSpecification to;
    for (const std::string& pattern : from.supported) {
        to.supported_instance_types.emplace_back().instance_type = pattern;
    }
    for (const std::string& pattern : from.unsupported) {
        to.unsupported_instance_types.emplace_back().instance_type = pattern;
    }
    return to;
}

List<LaunchPermission> from_permissions(const model::Sharing& permissions) {
    List<LaunchPermission> list;
    if (permissions.everybody) {
        list.emplace_back().group = "all";
    }
    for (const model::AccountId& account : permissions.accounts) {
        list.emplace_back().user_id = account.str();
    }
    for (const std::string& arn : permissions.organizations) {
        LaunchPermission& entry = list.emplace_back();
        (model::is_unit_arn(arn) ? entry.organizational_unit_arn : entry.organization_arn) = arn;
    }
    return list;
}

// Present without a value when the image has none.
void set(std::optional<AttributeValue>& attribute, const std::optional<std::string>& value) {
    attribute.emplace().value = value;
}

}  // namespace

Image from_image(const control::ImageView& view) {
    const model::Image& from = view.image;
    Image to;
    to.image_id = from.id.str();
    to.name = unless_empty(from.name);
    to.description = unless_empty(from.description);
    to.image_location = from.location;
    to.owner_id = from.owner_id.str();
    to.image_owner_alias = unless_empty(from.owner_alias);
    to.public_ = from.launch_permissions.everybody;
    fill_state(view, to);
    fill_machine(from, to);
    to.product_codes = from_product_codes(from.product_codes);
    to.instance_type_specification = from_instance_types(from.instance_types);
    to.source_instance_id = unless_empty(from.source_instance_id.str());
    to.source_image_id = unless_empty(from.source_image_id.str());
    to.source_image_region = unless_empty(from.source_image_region);
    to.public_ssm_parameter_name = unless_empty(from.public_parameter);
    to.tags = from_tags(view.tags);
    return to;
}

ec2::ImageAttribute from_attribute(const control::ImageView& view,
                                   control::ImageAttribute attribute) {
    using A = control::ImageAttribute;
    const Image image = from_image(view);
    ec2::ImageAttribute to;
    to.image_id = view.image.id.str();
    switch (attribute) {
        case A::description:
            set(to.description, image.description);
            break;
        case A::kernel:
            set(to.kernel_id, image.kernel_id);
            break;
        case A::ramdisk:
            set(to.ramdisk_id, image.ramdisk_id);
            break;
        case A::launch_permission:
            to.launch_permissions = from_permissions(view.image.launch_permissions);
            to.launch_permissions.give();
            break;
        case A::product_codes:
            to.product_codes = from_product_codes(view.image.product_codes);
            to.product_codes.give();
            break;
        case A::block_device_mapping:
            to.block_device_mappings.give();  // refused before (LP-14)
            break;
        case A::sriov_net_support:
            set(to.sriov_net_support, image.sriov_net_support);
            break;
        case A::boot_mode:
            set(to.boot_mode, image.boot_mode);
            break;
        case A::tpm_support:
            set(to.tpm_support, image.tpm_support);
            break;
        case A::uefi_data:
            set(to.uefi_data, unless_empty(view.image.uefi_data));
            break;
        case A::last_launched_time:
            set(to.last_launched_time, image.last_launched_time);
            break;
        case A::imds_support:
            set(to.imds_support, image.imds_support);
            break;
        case A::deregistration_protection:
            set(to.deregistration_protection, image.deregistration_protection);
            break;
    }
    return to;
}

Result<model::ImageId> to_image_id(const std::optional<std::string>& id) {
    if (!given(id)) {
        return control::errors::missing_parameter("ImageId");
    }
    return model::parse_image_id(*id);
}

Result<model::BlockDeviceMappings> to_image_mappings(const List<BlockDeviceMapping>& list) {
    TRY_ASSIGN(auto mappings, to_mappings(list));
    for (const model::BlockDeviceMapping& mapping : mappings) {
        if (mapping.ebs && mapping.ebs->initialization_rate_mibps) {  // VOL-19
            return control::errors::invalid_parameter_combination(
                "The parameter BlockDeviceMapping.Ebs.VolumeInitializationRate is not supported "
                "for images. Give it to the launch.");
        }
    }
    return mappings;
}

}  // namespace kiln::api::ec2
