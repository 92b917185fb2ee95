// SPDX-License-Identifier: Apache-2.0
// VPCs, subnets, network interfaces and account attributes, described.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/network_convert.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_account_attributes.h"
#include "api/generated/ec2/describe_vpc_attribute.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<DescribeVpcsResult> describe_vpcs(const Services& services, const Context& context,
                                         const DescribeVpcsRequest& request) {
    control::DescribeVpcsInput input;
    TRY_ASSIGN(input.ids, to_ids<model::VpcId>(request.vpc_ids, model::parse_vpc_id));
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.networks.describe_vpcs(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeVpcsResult result;
    result.vpcs.give();
    for (const control::VpcView& view : page.items) {
        result.vpcs.push_back(from_vpc(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeSubnetsResult> describe_subnets(const Services& services, const Context& context,
                                               const DescribeSubnetsRequest& request) {
    control::DescribeSubnetsInput input;
    TRY_ASSIGN(input.ids, to_ids<model::SubnetId>(request.subnet_ids, model::parse_subnet_id));
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.networks.describe_subnets(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeSubnetsResult result;
    result.subnets.give();
    for (const control::SubnetView& view : page.items) {
        result.subnets.push_back(from_subnet(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeNetworkInterfacesResult> describe_interfaces(
    const Services& services, const Context& context,
    const DescribeNetworkInterfacesRequest& request) {
    control::DescribeInterfacesInput input;
    TRY_ASSIGN(input.ids, to_ids<model::NetworkInterfaceId>(request.network_interface_ids,
                                                            model::parse_network_interface_id));
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.networks.describe_interfaces(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeNetworkInterfacesResult result;
    result.network_interfaces.give();
    for (const control::InterfaceView& view : page.items) {
        result.network_interfaces.push_back(from_interface(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

// NET-7.
Result<DescribeVpcAttributeResult> describe_vpc_attribute(
    const Services& services, const Context& context, const DescribeVpcAttributeRequest& request) {
    if (!given(request.vpc_id)) {
        return control::errors::missing_parameter("vpcId");
    }
    if (!given(request.attribute)) {
        return control::errors::missing_parameter("attribute");
    }
    TRY_ASSIGN(const auto id, model::parse_vpc_id(*request.vpc_id));
    TRY_ASSIGN(const model::Vpc vpc, services.networks.find_vpc(context.caller, id));
    DescribeVpcAttributeResult result;
    result.vpc_id = id.str();
    if (*request.attribute == "enableDnsSupport") {
        result.enable_dns_support.emplace().value = vpc.dns_support;
    } else if (*request.attribute == "enableDnsHostnames") {
        result.enable_dns_hostnames.emplace().value = vpc.dns_hostnames;
    } else if (*request.attribute == "enableNetworkAddressUsageMetrics") {
        result.enable_network_address_usage_metrics.emplace().value = false;
    } else {
        return control::errors::invalid_parameter_value("Value (" + *request.attribute +
                                                        ") for parameter attribute is invalid.");
    }
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    return result;
}

Result<DescribeAccountAttributesResult> describe_attributes(
    const Services& services, const Context& context,
    const DescribeAccountAttributesRequest& request) {
    TRY_ASSIGN(const auto attributes, services.networks.account_attributes(
                                          context.caller, request.attribute_names.items()));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeAccountAttributesResult result;
    result.account_attributes.give();
    for (const control::AccountAttribute& attribute : attributes) {
        AccountAttribute& out = result.account_attributes.emplace_back();
        out.attribute_name = attribute.name;
        for (const std::string& value : attribute.values) {
            out.attribute_values.emplace_back().attribute_value = value;
        }
    }
    return result;
}

}  // namespace

void add_network_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeVpcs>([services](Context& context, const auto& request) {
        return describe_vpcs(services, context, request);
    });
    registry.add<ops::DescribeSubnets>([services](Context& context, const auto& request) {
        return describe_subnets(services, context, request);
    });
    registry.add<ops::DescribeNetworkInterfaces>([services](Context& context, const auto& request) {
        return describe_interfaces(services, context, request);
    });
    registry.add<ops::DescribeVpcAttribute>([services](Context& context, const auto& request) {
        return describe_vpc_attribute(services, context, request);
    });
    registry.add<ops::DescribeAccountAttributes>([services](Context& context, const auto& request) {
        return describe_attributes(services, context, request);
    });
}

}  // namespace kiln::api
