// SPDX-License-Identifier: Apache-2.0
#include "control/vpc_parts.h"

#include <fmt/format.h>

#include <map>

#include "control/default_network.h"
#include "control/network_names.h"
#include "control/networks.h"

namespace kiln::control {
namespace {

struct Kind {
    VpcPart part;
    std::string_view prefix;
    const char* malformed;
    const char* not_found;
    const char* noun;
    PageLimits limits;  // PAG-2
    const FilterTable<VpcPartView>& (*filters)();
};

const Kind& kind_of(VpcPart part) {
    static const Kind kKinds[] = {
        {VpcPart::internet_gateway,
         "igw",
         "InvalidInternetGatewayId.Malformed",
         "InvalidInternetGatewayID.NotFound",
         "internetGateway",
         {5, 1000},
         internet_gateway_filters},
        {VpcPart::route_table,
         "rtb",
         "InvalidRouteTableId.Malformed",
         "InvalidRouteTableID.NotFound",
         "routeTable",
         {5, 100},
         route_table_filters},
        {VpcPart::network_acl,
         "acl",
         "InvalidNetworkAclId.Malformed",
         "InvalidNetworkAclID.NotFound",
         "networkAcl",
         {5, 1000},
         network_acl_filters},
        {VpcPart::dhcp_options,
         "dopt",
         "InvalidDhcpOptionsId.Malformed",
         "InvalidDhcpOptionID.NotFound",
         "dhcpOptions",
         {5, 1000},
         dhcp_options_filters},
    };
    return kKinds[static_cast<std::size_t>(part)];
}

bool has_part(const model::Vpc& vpc, VpcPart part) {
    return part != VpcPart::internet_gateway || vpc.is_default;
}

Error part_not_found(const Kind& kind, const std::string& id) {
    return Error::api(Code::not_found, kind.not_found,
                      fmt::format("The {} ID '{}' does not exist", kind.noun, id));
}

Result<std::vector<VpcPartView>> load(catalog::Transaction& tx, const Caller& caller,
                                      VpcPart part) {
    catalog::VpcQuery own_vpcs;
    own_vpcs.region = caller.region;
    own_vpcs.owners = {caller.account};
    catalog::SubnetQuery own_subnets;
    own_subnets.region = caller.region;
    own_subnets.owners = {caller.account};
    TRY_ASSIGN(auto vpcs, tx.vpcs().list(own_vpcs));
    TRY_ASSIGN(auto subnets, tx.subnets().list(own_subnets));
    std::vector<VpcPartView> views;
    std::vector<std::string> ids;
    for (model::Vpc& vpc : vpcs) {
        if (!has_part(vpc, part)) {
            continue;
        }
        VpcPartView& view = views.emplace_back();
        view.id = vpc_part_id(part, vpc.id);
        std::copy_if(subnets.begin(), subnets.end(), std::back_inserter(view.subnets),
                     [&](const model::Subnet& subnet) { return subnet.vpc_id == vpc.id; });
        view.vpc = std::move(vpc);
        ids.push_back(view.id);
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    for (VpcPartView& view : views) {
        if (const auto found = tags.find(view.id); found != tags.end()) {
            view.tags = found->second;
        }
    }
    return views;
}

// IDL-2: every id must be there.
Status check_ids(const Kind& kind, const std::vector<VpcPartView>& views,
                 const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
        TRY(check_vpc_part_form(kind.part, id));
    }
    for (const std::string& id : ids) {
        if (std::none_of(views.begin(), views.end(),
                         [&](const VpcPartView& view) { return view.id == id; })) {
            return part_not_found(kind, id);
        }
    }
    return ok();
}

}  // namespace

std::string vpc_part_id(VpcPart part, const model::VpcId& vpc) {
    return derived_id(kind_of(part).prefix, vpc.str());
}

std::vector<Route> routes_of(const model::Vpc& vpc) {
    std::vector<Route> routes = {{vpc.cidr, "local", "CreateRouteTable"}};
    if (vpc.is_default) {
        routes.push_back(
            {kAnywhere, vpc_part_id(VpcPart::internet_gateway, vpc.id), "CreateRoute"});
    }
    return routes;
}

const std::vector<AclEntry>& acl_entries() {
    static const std::vector<AclEntry> entries = {{100, true, true},
                                                  {kLastAclEntry, true, false},
                                                  {100, false, true},
                                                  {kLastAclEntry, false, false}};
    return entries;
}

std::vector<DhcpOption> dhcp_options_of(const model::Vpc& vpc) {  // NET-5
    return {{"domain-name",
             vpc.region == "us-east-1" ? "ec2.internal" : vpc.region + ".compute.internal"},
            {"domain-name-servers", "AmazonProvidedDNS"}};
}

Status check_vpc_part_form(VpcPart part, const std::string& id) {
    const Kind& kind = kind_of(part);
    if (model::is_well_formed_id(kind.prefix, id)) {
        return ok();
    }
    return Error::api(Code::invalid_argument, kind.malformed,
                      fmt::format("Invalid id: \"{}\" (expecting \"{}-...\")", id, kind.prefix));
}

Status find_vpc_part(catalog::Transaction& tx, const Caller& caller, VpcPart part,
                     const std::string& id) {
    TRY_ASSIGN(const auto vpc, tx.vpcs().find(model::VpcId(derived_id("vpc", id))));
    const bool own = vpc && vpc->owner_id == caller.account && vpc->region == caller.region &&
                     has_part(*vpc, part);
    return own ? ok() : Status(part_not_found(kind_of(part), id));
}

Status erase_vpc_part_tags(catalog::Transaction& tx, const model::VpcId& vpc) {
    for (const VpcPart part : {VpcPart::internet_gateway, VpcPart::route_table,
                               VpcPart::network_acl, VpcPart::dhcp_options}) {
        TRY(tx.tags().erase_resource(vpc_part_id(part, vpc)));
    }
    return ok();
}

Result<Page<VpcPartView>> VpcParts::describe(const Caller& caller, VpcPart part,
                                             const DescribePartsInput& input) {
    const Kind& kind = kind_of(part);
    const FilterTable<VpcPartView>& filters = kind.filters();
    TRY(filters.check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kind.limits));
    TRY(make_default_network(parts_, caller));
    const auto cursor_of = [](const VpcPartView& view) {
        return catalog::Cursor{view.vpc.created, view.vpc.id.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<VpcPartView>> {
        TRY_ASSIGN(auto views, load(tx, caller, part));
        TRY(check_ids(kind, views, input.ids));
        std::erase_if(views, [&](const VpcPartView& view) {
            const bool chosen = input.ids.empty() || std::find(input.ids.begin(), input.ids.end(),
                                                               view.id) != input.ids.end();
            return !chosen || !is_after(cursor_of(view), start) ||
                   !filters.matches(input.filters, view);
        });
        return cut_page(caller, input.page, start, std::move(views), cursor_of);
    });
}

}  // namespace kiln::control
