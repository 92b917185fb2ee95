// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/network_convert.h"

#include "api/ec2/convert.h"
#include "control/api_errors.h"
#include "control/metadata_facts.h"
#include "control/network_names.h"
#include "control/vpc_parts.h"

namespace kiln::api::ec2 {
namespace {

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::optional<std::string>() : text;
}

List<GroupIdentifier> groups_of(const control::InstanceView& view) {
    List<GroupIdentifier> list;
    list.give();
    for (const model::SecurityGroupId& id : view.instance.security_groups) {
        GroupIdentifier& group = list.emplace_back();
        group.group_id = id.str();
        const auto name = view.group_names.find(id);
        group.group_name = name == view.group_names.end() ? "" : name->second;
    }
    return list;
}

std::string attachment_id_of(const model::Instance& instance) {
    return control::derived_id("eni-attach", instance.network_interface_id.str());
}

InstanceNetworkInterface instance_interface(const control::InstanceView& view) {
    const model::Instance& from = view.instance;
    InstanceNetworkInterface to;
    to.network_interface_id = from.network_interface_id.str();
    to.mac_address = from.mac;
    to.owner_id = from.owner_id.str();
    to.private_dns_name = control::private_dns_name(from);
    to.private_ip_address = from.private_ip;
    to.source_dest_check = from.source_dest_check;
    to.status = "in-use";
    to.subnet_id = from.subnet_id.str();
    to.vpc_id = from.vpc_id.str();
    to.description = from.interface_description;
    to.interface_type = "interface";
    to.groups = groups_of(view);
    to.ipv6_addresses.give();
    to.operator_ = unmanaged();
    InstanceNetworkInterfaceAttachment& attachment = to.attachment.emplace();
    attachment.attachment_id = attachment_id_of(from);
    attachment.attach_time = from.created;
    attachment.delete_on_termination = true;
    attachment.device_index = 0;
    attachment.network_card_index = 0;
    attachment.status = from.state == model::InstanceState::pending ? "attaching" : "attached";
    InstancePrivateIpAddress& address = to.private_ip_addresses.emplace_back();
    address.primary = true;
    address.private_dns_name = to.private_dns_name;
    address.private_ip_address = from.private_ip;
    if (!from.public_ip.empty()) {
        InstanceNetworkInterfaceAssociation& association = to.association.emplace();
        association.ip_owner_id = "amazon";
        association.public_dns_name = "";
        association.public_ip = from.public_ip;
        address.association = association;
    }
    return to;
}

// A parameter of NetworkInterface.1 that is not built, if one is used.
const char* unbuilt_part(const InstanceNetworkInterfaceSpecification& spec) {
    if (given(spec.network_interface_id)) {
        return "NetworkInterface.NetworkInterfaceId";
    }
    if (!spec.delete_on_termination.value_or(true)) {
        return "NetworkInterface.DeleteOnTermination=false";
    }
    if (spec.secondary_private_ip_address_count.value_or(0) != 0) {
        return "NetworkInterface.SecondaryPrivateIpAddressCount";
    }
    if (spec.ipv6_address_count.value_or(0) != 0 || !spec.ipv6_addresses.empty() ||
        spec.primary_ipv6.value_or(false)) {
        return "NetworkInterface.Ipv6Addresses";
    }
    if (!spec.ipv4_prefixes.empty() || !spec.ipv6_prefixes.empty() ||
        spec.ipv4_prefix_count.value_or(0) != 0 || spec.ipv6_prefix_count.value_or(0) != 0) {
        return "NetworkInterface.Ipv4Prefix";
    }
    if (given(spec.interface_type) && *spec.interface_type != "interface") {
        return "NetworkInterface.InterfaceType";
    }
    if (spec.associate_carrier_ip_address.value_or(false) || spec.ena_srd_specification ||
        spec.connection_tracking_specification || spec.ena_queue_count.has_value()) {
        return "NetworkInterface (carrier address, ENA Express, connection tracking, queues)";
    }
    return nullptr;
}

Result<std::string> address_of(const InstanceNetworkInterfaceSpecification& spec) {
    std::string address = spec.private_ip_address.value_or("");
    if (spec.private_ip_addresses.size() > 1) {
        return not_built("NetworkInterface.PrivateIpAddresses (more than one)");
    }
    for (const PrivateIpAddressSpecification& entry : spec.private_ip_addresses) {
        if (!address.empty() || !entry.primary.value_or(true)) {
            return control::errors::invalid_parameter_combination(
                "An interface has one primary private address.");
        }
        address = entry.private_ip_address.value_or("");
    }
    return address;
}

Status take_subnet_and_groups(const std::optional<std::string>& subnet,
                              const List<std::string>& groups, control::LaunchNetworkInput& out) {
    if (given(subnet)) {
        TRY_ASSIGN(out.subnet, model::parse_subnet_id(*subnet));
    }
    TRY_ASSIGN(out.groups, to_ids<model::SecurityGroupId>(groups, model::parse_security_group_id));
    return ok();
}

Status take_interface(const RunInstancesRequest& request, control::LaunchNetworkInput& out) {
    if (request.network_interfaces.size() > 1) {
        return not_built("NetworkInterface (more than one)");
    }
    if (!request.security_group_ids.empty() || !request.security_groups.empty()) {
        return control::errors::invalid_parameter_combination(
            "Network interfaces and an instance-level security groups may not be specified on the "
            "same request");
    }
    if (given(request.subnet_id)) {
        return control::errors::invalid_parameter_combination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same "
            "request");
    }
    if (given(request.private_ip_address)) {
        return control::errors::invalid_parameter_combination(
            "Network interfaces and an instance-level private address may not be specified on the "
            "same request");
    }
    const InstanceNetworkInterfaceSpecification& spec = request.network_interfaces.front();
    if (const char* part = unbuilt_part(spec)) {
        return not_built(part);
    }
    if (!spec.device_index.has_value()) {
        return Error::api(Code::invalid_argument, "MissingParameter",
                          "Each network interface requires a device index.");
    }
    if (*spec.device_index != 0 || spec.network_card_index.value_or(0) != 0) {
        return control::errors::invalid_parameter_value(
            "The only network interface must have the device index 0 and the network card 0.");
    }
    TRY(take_subnet_and_groups(spec.subnet_id, spec.groups, out));
    TRY_ASSIGN(out.private_ip, address_of(spec));
    out.description = spec.description.value_or("");
    if (spec.associate_public_ip_address.has_value()) {
        out.public_ip = *spec.associate_public_ip_address;
    }
    return ok();
}

}  // namespace

void fill_network(const control::InstanceView& view, Instance& to) {
    const model::Instance& from = view.instance;
    to.public_dns_name = "";
    to.private_dns_name = "";
    to.security_groups.give();
    to.network_interfaces.give();
    if (!control::has_interface(from)) {  // NET-6
        return;
    }
    to.subnet_id = unless_empty(from.subnet_id.str());
    to.vpc_id = unless_empty(from.vpc_id.str());
    to.private_ip_address = unless_empty(from.private_ip);
    to.public_ip_address = unless_empty(from.public_ip);
    to.private_dns_name = control::private_dns_name(from);
    to.source_dest_check = from.source_dest_check;
    to.security_groups = groups_of(view);
    to.network_interfaces.push_back(instance_interface(view));
}

Status take_network(const RunInstancesRequest& request, control::RunInstancesInput& input) {
    if (!request.network_interfaces.empty()) {
        return take_interface(request, input.network);
    }
    TRY(take_subnet_and_groups(request.subnet_id, request.security_group_ids, input.network));
    input.network.group_names = request.security_groups.items();
    input.network.private_ip = request.private_ip_address.value_or("");
    return ok();
}

Vpc from_vpc(const control::VpcView& view) {
    const model::Vpc& from = view.vpc;
    Vpc to;
    to.vpc_id = from.id.str();
    to.owner_id = from.owner_id.str();
    to.cidr_block = from.cidr;
    to.is_default = from.is_default;
    to.state = "available";
    to.instance_tenancy = "default";
    to.dhcp_options_id = control::vpc_part_id(control::VpcPart::dhcp_options, from.id);
    VpcCidrBlockAssociation& association = to.cidr_block_association_set.emplace_back();
    association.association_id = control::derived_id("vpc-cidr-assoc", from.id.str());
    association.cidr_block = from.cidr;
    association.cidr_block_state.emplace().state = "associated";
    to.block_public_access_states.emplace().internet_gateway_block_mode = "off";  // NET-7
    if (!view.tags.empty()) {
        to.tags = from_tags(view.tags);
    }
    return to;
}

Subnet from_subnet(const control::SubnetView& view) {
    const model::Subnet& from = view.subnet;
    Subnet to;
    to.subnet_id = from.id.str();
    to.subnet_arn = control::arn(from.region, from.owner_id, "subnet", from.id.str());
    to.vpc_id = from.vpc_id.str();
    to.owner_id = from.owner_id.str();
    to.availability_zone = from.availability_zone;
    to.availability_zone_id = from.availability_zone_id;
    if (!from.outpost_arn.empty()) {
        to.outpost_arn = from.outpost_arn;
    }
    to.cidr_block = from.cidr;
    to.state = "available";
    to.default_for_az = from.default_for_zone;
    to.map_public_ip_on_launch = from.map_public_ip;
    to.available_ip_address_count = static_cast<std::int32_t>(view.available_addresses);
    to.map_customer_owned_ip_on_launch = false;
    to.assign_ipv6_address_on_creation = false;
    to.enable_dns64 = false;
    to.ipv6_native = false;
    to.ipv6_cidr_block_association_set.give();
    PrivateDnsNameOptionsOnLaunch& names = to.private_dns_name_options_on_launch.emplace();
    names.hostname_type = "ip-name";
    names.enable_resource_name_dns_a_record = false;
    names.enable_resource_name_dns_aaaa_record = false;
    to.block_public_access_states.emplace().internet_gateway_block_mode = "off";  // NET-7
    if (!view.tags.empty()) {
        to.tags = from_tags(view.tags);
    }
    return to;
}

NetworkInterface from_interface(const control::InterfaceView& view) {
    const model::Instance& from = view.owner.instance;
    NetworkInterface to;
    to.network_interface_id = from.network_interface_id.str();
    to.availability_zone = from.availability_zone;
    to.availability_zone_id = view.owner.zone_id;
    if (!from.outpost_arn.empty()) {
        to.outpost_arn = from.outpost_arn;
    }
    to.description = from.interface_description;
    to.interface_type = "interface";
    to.mac_address = from.mac;
    to.owner_id = from.owner_id.str();
    to.private_dns_name = control::private_dns_name(from);
    to.private_ip_address = from.private_ip;
    to.requester_managed = false;
    to.source_dest_check = from.source_dest_check;
    to.status = "in-use";
    to.subnet_id = from.subnet_id.str();
    to.vpc_id = from.vpc_id.str();
    to.groups = groups_of(view.owner);
    to.tag_set = from_tags(view.tags);
    to.ipv6_addresses.give();
    to.operator_ = unmanaged();
    NetworkInterfaceAttachment& attachment = to.attachment.emplace();
    attachment.attachment_id = attachment_id_of(from);
    attachment.attach_time = from.created;
    attachment.delete_on_termination = true;
    attachment.device_index = 0;
    attachment.network_card_index = 0;
    attachment.instance_id = from.id.str();
    attachment.instance_owner_id = from.owner_id.str();
    attachment.status = "attached";
    NetworkInterfacePrivateIpAddress& address = to.private_ip_addresses.emplace_back();
    address.primary = true;
    address.private_dns_name = to.private_dns_name;
    address.private_ip_address = from.private_ip;
    if (!from.public_ip.empty()) {
        NetworkInterfaceAssociation& association = to.association.emplace();
        association.ip_owner_id = "amazon";
        association.public_dns_name = "";
        association.public_ip = from.public_ip;
        address.association = association;
    }
    return to;
}

}  // namespace kiln::api::ec2
