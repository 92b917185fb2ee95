// SPDX-License-Identifier: Apache-2.0
// VPCs and subnets, made, changed and deleted; network interfaces, changed.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/network_convert.h"
#include "api/generated/ec2/create_default_vpc.h"
#include "api/generated/ec2/create_subnet.h"
#include "api/generated/ec2/create_vpc.h"
#include "api/generated/ec2/delete_subnet.h"
#include "api/generated/ec2/delete_vpc.h"
#include "api/generated/ec2/modify_network_interface_attribute.h"
#include "api/generated/ec2/modify_subnet_attribute.h"
#include "api/generated/ec2/modify_vpc_attribute.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<model::VpcId> required_vpc(const std::optional<std::string>& text) {
    return given(text) ? model::parse_vpc_id(*text) : control::errors::missing_parameter("vpcId");
}

Result<model::SubnetId> required_subnet(const std::optional<std::string>& text) {
    return given(text) ? model::parse_subnet_id(*text)
                       : control::errors::missing_parameter("subnetId");
}

bool is_on(const std::optional<AttributeBooleanValue>& attribute) {
    return attribute && attribute->value.value_or(false);
}

std::optional<bool> value_of(const std::optional<AttributeBooleanValue>& attribute) {
    return attribute && attribute->value.has_value() ? std::optional(*attribute->value)
                                                     : std::nullopt;
}

// What is in the model and not built, if it is given a value that asks for something.
struct Unbuilt {
    bool given;
    const char* name;
};

Status refuse(std::initializer_list<Unbuilt> parameters) {
    for (const Unbuilt& parameter : parameters) {
        if (parameter.given) {
            return not_built(parameter.name);
        }
    }
    return ok();
}

Status check_built(const CreateVpcRequest& request) {
    const std::string tenancy = request.instance_tenancy.value_or("");
    if (!tenancy.empty() && tenancy != "default" && tenancy != "dedicated" && tenancy != "host") {
        return bad_enum(tenancy, "instanceTenancy");
    }
    return refuse({
        {request.amazon_provided_ipv6_cidr_block.value_or(false), "AmazonProvidedIpv6CidrBlock"},
        {given(request.ipv6_pool), "Ipv6Pool"},
        {given(request.ipv6_cidr_block), "Ipv6CidrBlock"},
        {given(request.ipv6_ipam_pool_id), "Ipv6IpamPoolId"},
        {request.ipv6_netmask_length.has_value(), "Ipv6NetmaskLength"},
        {given(request.ipv6_cidr_block_network_border_group), "Ipv6CidrBlockNetworkBorderGroup"},
        {given(request.ipv4_ipam_pool_id), "Ipv4IpamPoolId"},
        {request.ipv4_netmask_length.has_value(), "Ipv4NetmaskLength"},
        {request.vpc_encryption_control.has_value(), "VpcEncryptionControl"},
        {tenancy == "dedicated" || tenancy == "host", "InstanceTenancy"},
    });
}

Result<CreateVpcResult> create_vpc(const Services& services, const Context& context,
                                   const CreateVpcRequest& request) {
    TRY(check_built(request));
    if (!given(request.cidr_block)) {
        return control::errors::missing_parameter("cidrBlock");
    }
    control::CreateVpcInput input;
    input.cidr = *request.cidr_block;
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.network_changes.create_vpc(context.caller, input));
    CreateVpcResult result;
    result.vpc = from_vpc(view);
    return result;
}

Result<CreateDefaultVpcResult> create_default_vpc(const Services& services, const Context& context,
                                                  const CreateDefaultVpcRequest& request) {
    TRY_ASSIGN(const auto view, services.network_changes.create_default_vpc(
                                    context.caller, request.dry_run.value_or(false)));
    CreateDefaultVpcResult result;
    result.vpc = from_vpc(view);
    return result;
}

Result<Void> delete_vpc(const Services& services, const Context& context,
                        const DeleteVpcRequest& request) {
    TRY_ASSIGN(const auto id, required_vpc(request.vpc_id));
    TRY(services.network_changes.delete_vpc(context.caller, id, request.dry_run.value_or(false)));
    return Void{};
}

Result<Void> modify_vpc(const Services& services, const Context& context,
                        const ModifyVpcAttributeRequest& request) {
    TRY_ASSIGN(const auto id, required_vpc(request.vpc_id));
    control::VpcChange change;
    change.dns_support = value_of(request.enable_dns_support);
    change.dns_hostnames = value_of(request.enable_dns_hostnames);
    const bool metrics = value_of(request.enable_network_address_usage_metrics).has_value();
    const int count =
        int{change.dns_support.has_value()} + int{change.dns_hostnames.has_value()} + int{metrics};
    if (count != 1) {
        return control::errors::invalid_parameter_combination(
            count == 0 ? "No attributes specified."
                       : "Fields for multiple attribute types specified. Modify one attribute per "
                         "request.");
    }
    if (is_on(request.enable_network_address_usage_metrics)) {
        return not_built("EnableNetworkAddressUsageMetrics");
    }
    TRY(services.network_changes.modify_vpc(context.caller, id, change));
    return Void{};
}

Result<CreateSubnetResult> create_subnet(const Services& services, const Context& context,
                                         const CreateSubnetRequest& request) {
    TRY(refuse({
        {given(request.ipv6_cidr_block), "Ipv6CidrBlock"},
        {request.ipv6_native.value_or(false), "Ipv6Native"},
        {given(request.ipv6_ipam_pool_id), "Ipv6IpamPoolId"},
        {request.ipv6_netmask_length.has_value(), "Ipv6NetmaskLength"},
        {given(request.ipv4_ipam_pool_id), "Ipv4IpamPoolId"},
        {request.ipv4_netmask_length.has_value(), "Ipv4NetmaskLength"},
    }));
    control::CreateSubnetInput input;
    TRY_ASSIGN(input.vpc, required_vpc(request.vpc_id));
    if (!given(request.cidr_block)) {
        return control::errors::missing_parameter("cidrBlock");
    }
    input.cidr = *request.cidr_block;
    input.zone = request.availability_zone.value_or("");
    input.zone_id = request.availability_zone_id.value_or("");
    input.outpost_arn = request.outpost_arn.value_or("");
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.network_changes.create_subnet(context.caller, input));
    CreateSubnetResult result;
    result.subnet = from_subnet(view);
    return result;
}

Result<Void> delete_subnet(const Services& services, const Context& context,
                           const DeleteSubnetRequest& request) {
    TRY_ASSIGN(const auto id, required_subnet(request.subnet_id));
    TRY(services.network_changes.delete_subnet(context.caller, id,
                                               request.dry_run.value_or(false)));
    return Void{};
}

// NET-17: what a subnet always says may be said again.
Status check_built(const ModifySubnetAttributeRequest& request) {
    const std::string names = request.private_dns_hostname_type_on_launch.value_or("");
    return refuse({
        {is_on(request.assign_ipv6_address_on_creation), "AssignIpv6AddressOnCreation"},
        {is_on(request.enable_dns64), "EnableDns64"},
        {is_on(request.map_customer_owned_ip_on_launch), "MapCustomerOwnedIpOnLaunch"},
        {given(request.customer_owned_ipv4_pool), "CustomerOwnedIpv4Pool"},
        {!names.empty() && names != "ip-name", "PrivateDnsHostnameTypeOnLaunch"},
        {is_on(request.enable_resource_name_dns_a_record_on_launch),
         "EnableResourceNameDnsARecordOnLaunch"},
        {is_on(request.enable_resource_name_dns_aaaa_record_on_launch),
         "EnableResourceNameDnsAAAARecordOnLaunch"},
        {request.enable_lni_at_device_index.has_value(), "EnableLniAtDeviceIndex"},
        {is_on(request.disable_lni_at_device_index), "DisableLniAtDeviceIndex"},
    });
}

Result<Void> modify_subnet(const Services& services, const Context& context,
                           const ModifySubnetAttributeRequest& request) {
    TRY_ASSIGN(const auto id, required_subnet(request.subnet_id));
    TRY(check_built(request));
    TRY(services.network_changes.modify_subnet(context.caller, id,
                                               value_of(request.map_public_ip_on_launch)));
    return Void{};
}

// NET-19: what an interface always says may be said again.
Status check_built(const ModifyNetworkInterfaceAttributeRequest& request) {
    const auto& attachment = request.attachment;
    return refuse({
        {request.ena_srd_specification.has_value(), "EnaSrdSpecification"},
        {request.enable_primary_ipv6.value_or(false), "EnablePrimaryIpv6"},
        {request.connection_tracking_specification.has_value(), "ConnectionTrackingSpecification"},
        {request.associate_public_ip_address.has_value(), "AssociatePublicIpAddress"},
        {!request.associated_subnet_ids.empty(), "AssociatedSubnetIds"},
        {attachment && (attachment->ena_queue_count.has_value() ||
                        attachment->default_ena_queue_count.has_value()),
         "Attachment.EnaQueueCount"},
        {attachment && !attachment->delete_on_termination.value_or(true),
         "Attachment.DeleteOnTermination"},
    });
}

Result<Void> modify_interface(const Services& services, const Context& context,
                              const ModifyNetworkInterfaceAttributeRequest& request) {
    if (!given(request.network_interface_id)) {
        return control::errors::missing_parameter("networkInterfaceId");
    }
    TRY_ASSIGN(const auto id, model::parse_network_interface_id(*request.network_interface_id));
    TRY(check_built(request));
    control::InterfaceChange change;
    if (request.description) {
        change.description = request.description->value.value_or("");
    }
    change.source_dest_check = value_of(request.source_dest_check);
    TRY_ASSIGN(change.groups,
               to_ids<model::SecurityGroupId>(request.groups, model::parse_security_group_id));
    if (request.attachment) {
        if (!given(request.attachment->attachment_id)) {
            return control::errors::missing_parameter("AttachmentId");
        }
        change.attachment_id = request.attachment->attachment_id;
    }
    TRY(services.interface_attributes.modify(context.caller, id, change,
                                             request.dry_run.value_or(false)));
    return Void{};
}

}  // namespace

void add_network_change_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateVpc>([services](Context& context, const auto& request) {
        return create_vpc(services, context, request);
    });
    registry.add<ops::CreateDefaultVpc>([services](Context& context, const auto& request) {
        return create_default_vpc(services, context, request);
    });
    registry.add<ops::DeleteVpc>([services](Context& context, const auto& request) {
        return delete_vpc(services, context, request);
    });
    registry.add<ops::ModifyVpcAttribute>([services](Context& context, const auto& request) {
        return modify_vpc(services, context, request);
    });
    registry.add<ops::CreateSubnet>([services](Context& context, const auto& request) {
        return create_subnet(services, context, request);
    });
    registry.add<ops::DeleteSubnet>([services](Context& context, const auto& request) {
        return delete_subnet(services, context, request);
    });
    registry.add<ops::ModifyNetworkInterfaceAttribute>(
        [services](Context& context, const auto& request) {
            return modify_interface(services, context, request);
        });
    registry.add<ops::ModifySubnetAttribute>([services](Context& context, const auto& request) {
        return modify_subnet(services, context, request);
    });
}

}  // namespace kiln::api
