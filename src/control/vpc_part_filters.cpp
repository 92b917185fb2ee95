// SPDX-License-Identifier: Apache-2.0
// The filters of DescribeInternetGateways, DescribeRouteTables, DescribeNetworkAcls and
// DescribeDhcpOptions.
#include "control/network_names.h"
#include "control/vpc_parts.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<VpcPartView>::Getter, std::less<>>;

FilterTable<VpcPartView> make_table(const std::string& id_name, Getters getters) {
    getters[id_name] = [](const VpcPartView& view) { return Values{view.id}; };
    getters["owner-id"] = [](const VpcPartView& view) { return Values{view.vpc.owner_id.str()}; };
    return FilterTable<VpcPartView>(
        [](const VpcPartView& view) -> const std::vector<model::Tag>& { return view.tags; },
        std::move(getters));
}

template <class F>
FilterTable<VpcPartView>::Getter one(F value_of) {
    return [value_of](const VpcPartView& view) { return Values{std::string(value_of(view))}; };
}

// What nothing here has.
Values none(const VpcPartView&) {
    return {};
}

template <class F>
FilterTable<VpcPartView>::Getter of_routes(F value_of) {
    return [value_of](const VpcPartView& view) {
        Values values;
        for (const Route& route : routes_of(view.vpc)) {
            values.push_back(value_of(route));
        }
        return values;
    };
}

template <class F>
FilterTable<VpcPartView>::Getter of_entries(F value_of) {
    return [value_of](const VpcPartView&) {
        Values values;
        for (const AclEntry& entry : acl_entries()) {
            values.push_back(value_of(entry));
        }
        return values;
    };
}

template <class F>
FilterTable<VpcPartView>::Getter of_subnets(F value_of) {
    return [value_of](const VpcPartView& view) {
        Values values;
        for (const model::Subnet& subnet : view.subnets) {
            values.push_back(value_of(subnet));
        }
        return values;
    };
}

template <class F>
FilterTable<VpcPartView>::Getter of_options(F value_of) {
    return [value_of](const VpcPartView& view) {
        Values values;
        for (const DhcpOption& option : dhcp_options_of(view.vpc)) {
            values.push_back(value_of(option));
        }
        return values;
    };
}

FilterTable<VpcPartView>::Getter vpc_id() {
    return one([](const VpcPartView& view) { return view.vpc.id.str(); });
}

Getters route_table_getters() {
    Getters getters = {
        {"association.main", one([](const VpcPartView&) { return "true"; })},
        {"association.route-table-association-id",
         one([](const VpcPartView& view) { return derived_id("rtbassoc", view.id); })},
        {"association.route-table-id", one([](const VpcPartView& view) { return view.id; })},
        {"route.destination-cidr-block", of_routes([](const Route& r) { return r.destination; })},
        {"route.gateway-id", of_routes([](const Route& r) { return r.gateway; })},
        {"route.origin", of_routes([](const Route& r) { return r.origin; })},
        {"route.state", one([](const VpcPartView&) { return "active"; })},
        {"vpc-id", vpc_id()},
    };
    for (const char* name :
         {"association.gateway-id", "association.subnet-id", "route.destination-ipv6-cidr-block",
          "route.destination-prefix-list-id", "route.egress-only-internet-gateway-id",
          "route.instance-id", "route.nat-gateway-id", "route.transit-gateway-id",
          "route.vpc-peering-connection-id"}) {
        getters[name] = none;
    }
    return getters;
}

Getters network_acl_getters() {
    Getters getters = {
        {"association.association-id", of_subnets([](const model::Subnet& subnet) {
             return derived_id("aclassoc", subnet.id.str());
         })},
        {"association.network-acl-id", one([](const VpcPartView& view) { return view.id; })},
        {"association.subnet-id",
         of_subnets([](const model::Subnet& subnet) { return subnet.id.str(); })},
        {"default", one([](const VpcPartView&) { return "true"; })},
        {"entry.cidr", one([](const VpcPartView&) { return kAnywhere; })},
        {"entry.egress", of_entries([](const AclEntry& entry) {
             return std::string(entry.egress ? "true" : "false");
         })},
        {"entry.protocol", one([](const VpcPartView&) { return "-1"; })},
        {"entry.rule-action", of_entries([](const AclEntry& entry) {
             return std::string(entry.allow ? "allow" : "deny");
         })},
        {"entry.rule-number",
         of_entries([](const AclEntry& entry) { return std::to_string(entry.number); })},
        {"vpc-id", vpc_id()},
    };
    for (const char* name : {"entry.icmp.code", "entry.icmp.type", "entry.ipv6-cidr",
                             "entry.port-range.from", "entry.port-range.to"}) {
        getters[name] = none;
    }
    return getters;
}

}  // namespace

const FilterTable<VpcPartView>& internet_gateway_filters() {
    static const FilterTable<VpcPartView> table =
        make_table("internet-gateway-id",
                   {{"attachment.state", one([](const VpcPartView&) { return "available"; })},
                    {"attachment.vpc-id", vpc_id()}});
    return table;
}

const FilterTable<VpcPartView>& route_table_filters() {
    static const FilterTable<VpcPartView> table =
        make_table("route-table-id", route_table_getters());
    return table;
}

const FilterTable<VpcPartView>& network_acl_filters() {
    static const FilterTable<VpcPartView> table =
        make_table("network-acl-id", network_acl_getters());
    return table;
}

const FilterTable<VpcPartView>& dhcp_options_filters() {
    static const FilterTable<VpcPartView> table = make_table(
        "dhcp-options-id", {{"key", of_options([](const DhcpOption& o) { return o.key; })},
                            {"value", of_options([](const DhcpOption& o) { return o.value; })}});
    return table;
}

}  // namespace kiln::control
