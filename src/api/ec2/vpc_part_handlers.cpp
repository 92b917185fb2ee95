// SPDX-License-Identifier: Apache-2.0
// What every VPC has: internet gateways, route tables, network ACLs and DHCP options, described.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_dhcp_options.h"
#include "api/generated/ec2/describe_internet_gateways.h"
#include "api/generated/ec2/describe_network_acls.h"
#include "api/generated/ec2/describe_route_tables.h"
#include "control/api_errors.h"
#include "control/network_names.h"

namespace kiln::api {
namespace {

using namespace ec2;
using control::VpcPartView;

template <class Request>
Result<control::Page<VpcPartView>> describe(const Services& services, const Context& context,
                                            const Request& request, control::VpcPart part,
                                            const List<std::string>& ids) {
    control::DescribePartsInput input;
    input.ids = ids.items();
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(auto page, services.vpc_parts.describe(context.caller, part, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    return page;
}

// In the order of the page; every list is shown, also an empty one.
template <class T, class F>
void fill(const control::Page<VpcPartView>& page, List<T>& items, std::optional<std::string>& token,
          F fill_one) {
    items.give();
    for (const VpcPartView& view : page.items) {
        T& item = items.emplace_back();
        item.owner_id = view.vpc.owner_id.str();
        item.tags = from_tags(view.tags);
        item.tags.give();
        fill_one(view, item);
    }
    set_token(token, page.next_token);
}

Result<DescribeInternetGatewaysResult> describe_gateways(
    const Services& services, const Context& context,
    const DescribeInternetGatewaysRequest& request) {
    TRY_ASSIGN(const auto page,
               describe(services, context, request, control::VpcPart::internet_gateway,
                        request.internet_gateway_ids));
    DescribeInternetGatewaysResult result;
    fill(page, result.internet_gateways, result.next_token,
         [](const VpcPartView& view, InternetGateway& to) {
             to.internet_gateway_id = view.id;
             InternetGatewayAttachment& attachment = to.attachments.emplace_back();
             attachment.state = "available";
             attachment.vpc_id = view.vpc.id.str();
         });
    return result;
}

void fill_route_table(const VpcPartView& view, RouteTable& to) {
    to.route_table_id = view.id;
    to.vpc_id = view.vpc.id.str();
    to.propagating_vgws.give();
    RouteTableAssociation& main = to.associations.emplace_back();
    main.main = true;
    main.route_table_association_id = control::derived_id("rtbassoc", view.id);
    main.route_table_id = view.id;
    main.association_state.emplace().state = "associated";
    for (const control::Route& from : control::routes_of(view.vpc)) {
        Route& route = to.routes.emplace_back();
        route.destination_cidr_block = from.destination;
        route.gateway_id = from.gateway;
        route.origin = from.origin;
        route.state = "active";
    }
}

Result<DescribeRouteTablesResult> describe_tables(const Services& services, const Context& context,
                                                  const DescribeRouteTablesRequest& request) {
    TRY_ASSIGN(const auto page, describe(services, context, request, control::VpcPart::route_table,
                                         request.route_table_ids));
    DescribeRouteTablesResult result;
    fill(page, result.route_tables, result.next_token, fill_route_table);
    return result;
}

void fill_acl(const VpcPartView& view, NetworkAcl& to) {
    to.network_acl_id = view.id;
    to.vpc_id = view.vpc.id.str();
    to.is_default = true;
    to.associations.give();
    for (const model::Subnet& subnet : view.subnets) {
        NetworkAclAssociation& association = to.associations.emplace_back();
        association.network_acl_association_id = control::derived_id("aclassoc", subnet.id.str());
        association.network_acl_id = view.id;
        association.subnet_id = subnet.id.str();
    }
    for (const control::AclEntry& from : control::acl_entries()) {
        NetworkAclEntry& entry = to.entries.emplace_back();
        entry.cidr_block = control::kAnywhere;
        entry.egress = from.egress;
        entry.protocol = "-1";
        entry.rule_action = from.allow ? "allow" : "deny";
        entry.rule_number = from.number;
    }
}

Result<DescribeNetworkAclsResult> describe_acls(const Services& services, const Context& context,
                                                const DescribeNetworkAclsRequest& request) {
    TRY_ASSIGN(const auto page, describe(services, context, request, control::VpcPart::network_acl,
                                         request.network_acl_ids));
    DescribeNetworkAclsResult result;
    fill(page, result.network_acls, result.next_token, fill_acl);
    return result;
}

Result<DescribeDhcpOptionsResult> describe_options(const Services& services, const Context& context,
                                                   const DescribeDhcpOptionsRequest& request) {
    TRY_ASSIGN(const auto page, describe(services, context, request, control::VpcPart::dhcp_options,
                                         request.dhcp_options_ids));
    DescribeDhcpOptionsResult result;
    fill(page, result.dhcp_options, result.next_token,
         [](const VpcPartView& view, DhcpOptions& to) {
             to.dhcp_options_id = view.id;
             for (const control::DhcpOption& from : control::dhcp_options_of(view.vpc)) {
                 DhcpConfiguration& option = to.dhcp_configurations.emplace_back();
                 option.key = from.key;
                 option.values.emplace_back().value = from.value;
             }
         });
    return result;
}

}  // namespace

void add_vpc_part_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeInternetGateways>([services](Context& context, const auto& request) {
        return describe_gateways(services, context, request);
    });
    registry.add<ops::DescribeRouteTables>([services](Context& context, const auto& request) {
        return describe_tables(services, context, request);
    });
    registry.add<ops::DescribeNetworkAcls>([services](Context& context, const auto& request) {
        return describe_acls(services, context, request);
    });
    registry.add<ops::DescribeDhcpOptions>([services](Context& context, const auto& request) {
        return describe_options(services, context, request);
    });
}

}  // namespace kiln::api
