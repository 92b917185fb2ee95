// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/convert.h"

#include <fmt/format.h>

#include "api/ec2/metadata_options.h"
#include "api/ec2/network_convert.h"
#include "control/api_errors.h"
#include "control/instance_types.h"

namespace kiln::api::ec2 {
namespace {

Error invalid(std::string message) {
    return Error::api(Code::invalid_argument, "InvalidParameterValue", std::move(message));
}

// A count or size: not negative.
Status to_unsigned(const Scalar<std::int32_t>& value, std::string_view parameter,
                   std::optional<std::uint32_t>& out) {
    if (!value.has_value()) {
        return ok();
    }
    if (*value < 0) {
        return invalid(
            fmt::format("Invalid value '{}' for {}. It may not be negative.", *value, parameter));
    }
    out = static_cast<std::uint32_t>(*value);
    return ok();
}

// Packer sends 0 for performance figures it does not mean.
void drop_zero(std::optional<std::uint32_t>& value) {
    if (value == 0U) {
        value.reset();
    }
}

}  // namespace

Result<model::EbsBlockDevice> to_ebs(const EbsBlockDevice& ebs) {
    if (given(ebs.outpost_arn)) {  // REG-6: where the snapshot lies; none lies on an outpost
        return not_built("BlockDeviceMapping.Ebs.OutpostArn");
    }
    if (given(ebs.availability_zone) || given(ebs.availability_zone_id)) {  // BDM-20
        return control::errors::invalid_parameter_combination(
            "AvailabilityZone and AvailabilityZoneId are not supported in a block device mapping, "
            "whose volumes are in the zone of the instance.");
    }
    if (ebs.ebs_card_index.value_or(0) != 0) {
        return not_built("BlockDeviceMapping.Ebs.EbsCardIndex");
    }
    model::EbsBlockDevice out;
    if (given(ebs.snapshot_id)) {
        TRY_ASSIGN(out.snapshot_id, model::parse_snapshot_id(*ebs.snapshot_id));
    }
    TRY(to_unsigned(ebs.volume_size, "VolumeSize", out.volume_size_gib));
    TRY(to_unsigned(ebs.iops, "Iops", out.iops));
    TRY(to_unsigned(ebs.throughput, "Throughput", out.throughput_mibps));
    TRY(to_unsigned(ebs.volume_initialization_rate, "VolumeInitializationRate",
                    out.initialization_rate_mibps));
    drop_zero(out.iops);
    drop_zero(out.throughput_mibps);
    if (given(ebs.volume_type)) {
        const auto type = model::parse<model::VolumeType>(*ebs.volume_type);
        if (!type) {
            return Error::api(
                Code::invalid_argument, "UnknownVolumeType",
                fmt::format("Unsupported volume type '{}' for volume creation.", *ebs.volume_type));
        }
        out.volume_type = *type;
    }
    if (ebs.encrypted.has_value()) {
        out.encrypted = *ebs.encrypted;
    }
    if (ebs.delete_on_termination.has_value()) {
        out.delete_on_termination = *ebs.delete_on_termination;
    }
    out.kms_key_id = ebs.kms_key_id.value_or("");
    return out;
}

namespace {

InstanceBlockDeviceMapping from_volume(const model::Volume& volume,
                                       const model::VolumeAttachment& attachment) {  // BDM-14
    InstanceBlockDeviceMapping mapping;
    mapping.device_name = attachment.device;
    EbsInstanceBlockDevice& ebs = mapping.ebs.emplace();
    ebs.volume_id = volume.id.str();
    ebs.status = std::string(model::to_string(attachment.state));
    ebs.attach_time = attachment.attach_time;
    ebs.delete_on_termination = attachment.delete_on_termination;
    return mapping;
}

template <class E>
std::string text_of(E value) {
    return std::string(model::to_string(value));
}

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::optional<std::string>() : text;
}

void fill_state(const model::Instance& from, Instance& to) {
    to.state = from_state(from.state);
    to.state_transition_reason = from.state_transition_reason;
    if (from.state_reason) {
        StateReason& reason = to.state_reason.emplace();
        reason.code = from.state_reason->code;
        reason.message = from.state_reason->message;
    }
}

// What clients read of every instance, though little of it can be chosen: processors are those of
// the type.
void fill_options(const model::Instance& from, Instance& to) {
    if (const control::InstanceType* type = control::find_instance_type(from.instance_type)) {
        CpuOptions& processors = to.cpu_options.emplace();
        processors.core_count = static_cast<std::int32_t>(type->cores);
        processors.threads_per_core = static_cast<std::int32_t>(type->vcpus / type->cores);
    }
    to.hibernation_options.emplace().configured = false;
    to.enclave_options.emplace().enabled = false;
    InstanceMaintenanceOptions& maintenance = to.maintenance_options.emplace();
    maintenance.auto_recovery = "default";
    maintenance.reboot_migration = "default";
    to.network_performance_options.emplace().bandwidth_weighting = "default";
    PrivateDnsNameOptionsResponse& names = to.private_dns_name_options.emplace();
    names.hostname_type = "ip-name";  // NET-5
    names.enable_resource_name_dns_a_record = false;
    names.enable_resource_name_dns_aaaa_record = false;
    to.capacity_reservation_specification.emplace().capacity_reservation_preference =
        text_of(from.capacity_preference);  // RUN-16
    to.operator_ = unmanaged();
}

void fill_machine(const model::Instance& from, Instance& to) {
    to.architecture = text_of(from.architecture);
    to.virtualization_type = text_of(from.virtualization_type);
    to.hypervisor = "xen";
    to.root_device_name = from.root_device_name;
    to.root_device_type = text_of(from.root_device_type);
    to.ena_support = from.ena_support;
    to.ebs_optimized = from.ebs_optimized;
    if (from.sriov_net_simple) {
        to.sriov_net_support = "simple";
    }
    if (from.boot_mode) {
        to.boot_mode = text_of(*from.boot_mode);
    }
    if (from.tpm_v2) {
        to.tpm_support = "v2.0";
    }
    to.product_codes = from_product_codes(from.product_codes);
    to.product_codes.give();
    to.current_instance_boot_mode = text_of(from.current_boot_mode);
    to.platform_details = from.platform_details;
    to.usage_operation = from.usage_operation;
    to.usage_operation_update_time = from.created;
    to.platform = unless_empty(from.platform);
    to.kernel_id = unless_empty(from.kernel_id.str());
    to.ramdisk_id = unless_empty(from.ramdisk_id.str());
    to.monitoring.emplace().state = from.detailed_monitoring ? "enabled" : "disabled";
}

Instance from_instance(const control::InstanceView& view) {
    const model::Instance& from = view.instance;
    Instance to;
    to.instance_id = from.id.str();
    to.image_id = from.image_id.str();
    to.instance_type = from.instance_type;
    to.ami_launch_index = static_cast<std::int32_t>(from.launch_index);
    to.launch_time = from.launched;
    to.key_name = unless_empty(from.key_name);
    if (from.profile) {
        to.iam_instance_profile.emplace();
        to.iam_instance_profile->arn = from.profile->arn;
        to.iam_instance_profile->id = from.profile->id.str();
    }
    to.client_token = from.client_token;
    to.outpost_arn = unless_empty(from.outpost_arn);
    fill_network(view, to);
    to.metadata_options = from_metadata_options(
        from.metadata_options, from.state == model::InstanceState::pending ? "pending" : "applied");
    Placement& placement = to.placement.emplace();
    placement.availability_zone = from.availability_zone;
    placement.availability_zone_id = unless_empty(view.zone_id);
    placement.tenancy = "default";
    placement.group_name = "";
    fill_state(from, to);
    fill_machine(from, to);
    fill_options(from, to);
    to.block_device_mappings.give();
    for (const model::Volume& volume : view.volumes) {
        to.block_device_mappings.push_back(
            from_volume(volume, model::attachment_to(volume, view.instance.id)));
    }
    to.tags = from_tags(view.tags);
    return to;
}

}  // namespace

Error not_built(std::string_view parameter) {
    return Error::api(
        Code::unsupported, "UnsupportedOperation",
        fmt::format("The parameter {} is not built yet. Repeat the request without it.",
                    parameter));
}

Error bad_enum(std::string_view value, std::string_view parameter) {
    return invalid(fmt::format("Invalid value '{}' for {}.", value, parameter));
}

Result<model::BlockDeviceMappings> to_mappings(const List<BlockDeviceMapping>& list) {
    model::BlockDeviceMappings mappings;
    for (const BlockDeviceMapping& entry : list) {
        model::BlockDeviceMapping mapping;
        mapping.device_name = entry.device_name.value_or("");
        mapping.virtual_name = entry.virtual_name.value_or("");
        mapping.no_device = entry.no_device.has_value();  // BDM-1: presence counts
        if (entry.ebs) {
            TRY_ASSIGN(mapping.ebs, to_ebs(*entry.ebs));
        }
        mappings.push_back(std::move(mapping));
    }
    return mappings;
}

std::vector<control::TagSpecification> to_tags(const List<TagSpecification>& list) {
    std::vector<control::TagSpecification> specifications;
    for (const TagSpecification& entry : list) {
        control::TagSpecification specification;
        specification.resource_type = entry.resource_type.value_or("");
        for (const Tag& tag : entry.tags) {
            specification.tags.push_back({tag.key.value_or(""), tag.value.value_or("")});
        }
        specifications.push_back(std::move(specification));
    }
    return specifications;
}

std::vector<control::Filter> to_filters(const List<Filter>& list) {
    std::vector<control::Filter> filters;
    for (const Filter& entry : list) {
        filters.push_back({entry.name.value_or(""), entry.values.items()});
    }
    return filters;
}

List<Tag> from_tags(const std::vector<model::Tag>& tags) {
    List<Tag> list;
    for (const model::Tag& tag : tags) {
        Tag& out = list.emplace_back();
        out.key = tag.key;
        out.value = tag.value;
    }
    return list;
}

OperatorResponse unmanaged() {
    OperatorResponse out;
    out.managed = false;
    return out;
}

List<ProductCode> from_product_codes(const std::vector<model::ProductCode>& codes) {
    List<ProductCode> list;
    for (const model::ProductCode& code : codes) {
        ProductCode& out = list.emplace_back();
        out.product_code_id = code.id;
        out.product_code_type = code.type;
    }
    return list;
}

InstanceState from_state(model::InstanceState state) {
    InstanceState out;
    out.code = model::state_code(state);
    out.name = text_of(state);
    return out;
}

List<InstanceStateChange> from_changes(const std::vector<control::StateChange>& changes) {
    List<InstanceStateChange> list;
    list.give();
    for (const control::StateChange& change : changes) {
        InstanceStateChange& out = list.emplace_back();
        out.instance_id = change.id.str();
        out.previous_state = from_state(change.previous);
        out.current_state = from_state(change.current);
    }
    return list;
}

Reservation from_reservation(const control::ReservationView& view) {
    Reservation out;
    out.reservation_id = view.id.str();
    out.owner_id = view.owner.str();
    out.groups.give();
    out.instances.give();
    for (const control::InstanceView& instance : view.instances) {
        out.instances.push_back(from_instance(instance));
    }
    return out;
}

Result<std::vector<model::InstanceId>> to_instance_ids(const List<std::string>& ids) {
    std::vector<model::InstanceId> out;
    for (const std::string& id : ids) {
        TRY_ASSIGN(out.emplace_back(), model::parse_instance_id(id));
    }
    return out;
}

}  // namespace kiln::api::ec2
