// SPDX-License-Identifier: Apache-2.0
// The filters of DescribeVpcs, DescribeSubnets and DescribeNetworkInterfaces, and those that
// DescribeInstances has for an instance's interface. Older clients write some names in camel case.
#include "control/network_filters.h"

#include <fmt/format.h>

#include "control/metadata_facts.h"
#include "control/network_names.h"
#include "control/networks.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using model::Instance;

template <class View>
using Getters = std::map<std::string, typename FilterTable<View>::Getter, std::less<>>;

template <class View, class F>
void add(Getters<View>& getters, std::initializer_list<const char*> names, F value_of) {
    for (const char* name : names) {
        getters[name] = [value_of](const View& view) { return Values{value_of(view)}; };
    }
}

std::string boolean(bool value) {
    return value ? "true" : "false";
}

// FLT-10: EC2 has them, and nothing here has what they ask for.
template <class View>
void add_none(Getters<View>& getters, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        getters[name] = [](const View&) { return Values{}; };
    }
}

const std::vector<model::Tag>& tags_of(const auto& view) {
    return view.tags;
}

FilterTable<VpcView> make_vpc_table() {
    using View = VpcView;
    Getters<View> getters;
    add<View>(getters, {"cidr", "cidr-block-association.cidr-block"},
              [](const View& view) { return view.vpc.cidr; });
    add<View>(getters, {"cidr-block-association.association-id"},
              [](const View& view) { return derived_id("vpc-cidr-assoc", view.vpc.id.str()); });
    add<View>(getters, {"cidr-block-association.state"},
              [](const View&) { return std::string("associated"); });
    add<View>(getters, {"dhcp-options-id", "dhcpOptionsId"},
              [](const View& view) { return derived_id("dopt", view.vpc.id.str()); });
    add<View>(getters, {"is-default", "isDefault"},
              [](const View& view) { return boolean(view.vpc.is_default); });
    add<View>(getters, {"owner-id"}, [](const View& view) { return view.vpc.owner_id.str(); });
    add<View>(getters, {"state"}, [](const View&) { return std::string("available"); });
    add<View>(getters, {"vpc-id"}, [](const View& view) { return view.vpc.id.str(); });
    add_none<View>(getters,
                   {"ipv6-cidr-block-association.association-id",
                    "ipv6-cidr-block-association.ipv6-cidr-block",
                    "ipv6-cidr-block-association.ipv6-pool", "ipv6-cidr-block-association.state"});
    return FilterTable<View>(tags_of<View>, std::move(getters));
}

FilterTable<SubnetView> make_subnet_table() {
    using View = SubnetView;
    Getters<View> getters;
    add<View>(getters, {"availability-zone", "availabilityZone"},
              [](const View& view) { return view.subnet.availability_zone; });
    add<View>(getters, {"availability-zone-id", "availabilityZoneId"},
              [](const View& view) { return view.subnet.availability_zone_id; });
    add<View>(getters, {"available-ip-address-count"},
              [](const View& view) { return std::to_string(view.available_addresses); });
    add<View>(getters, {"cidr-block", "cidr", "cidrBlock"},
              [](const View& view) { return view.subnet.cidr; });
    add<View>(getters, {"default-for-az", "defaultForAz"},
              [](const View& view) { return boolean(view.subnet.default_for_zone); });
    add<View>(getters, {"map-public-ip-on-launch"},
              [](const View& view) { return boolean(view.subnet.map_public_ip); });
    add<View>(getters, {"ipv6-native", "enable-dns64", "map-customer-owned-ip-on-launch"},
              [](const View&) { return boolean(false); });
    add<View>(getters, {"owner-id"}, [](const View& view) { return view.subnet.owner_id.str(); });
    add<View>(getters, {"state"}, [](const View&) { return std::string("available"); });
    add<View>(getters, {"subnet-arn"}, [](const View& view) {
        const model::Subnet& subnet = view.subnet;
        return arn(subnet.region, subnet.owner_id, "subnet", subnet.id.str());
    });
    add<View>(getters, {"subnet-id"}, [](const View& view) { return view.subnet.id.str(); });
    add<View>(getters, {"vpc-id"}, [](const View& view) { return view.subnet.vpc_id.str(); });
    add<View>(getters, {"private-dns-name-options-on-launch.hostname-type"},
              [](const View&) { return std::string("ip-name"); });
    add<View>(getters,
              {"private-dns-name-options-on-launch.enable-resource-name-dns-a-record",
               "private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record"},
              [](const View&) { return boolean(false); });
    getters["outpost-arn"] = [](const View& view) {
        const std::string& outpost = view.subnet.outpost_arn;
        return outpost.empty() ? Values{} : Values{outpost};
    };
    add_none<View>(getters, {"customer-owned-ipv4-pool", "enable-lni-at-device-index",
                             "ipv6-cidr-block-association.association-id",
                             "ipv6-cidr-block-association.ipv6-cidr-block",
                             "ipv6-cidr-block-association.state"});
    return FilterTable<View>(tags_of<View>, std::move(getters));
}

// One value of the interface, nothing where the instance has none (or the value is empty).
template <class View, class Get, class F>
void add_fact(Getters<View>& getters, const std::string& name, Get instance_of, F value_of) {
    getters[name] = [instance_of, value_of](const View& view) {
        const Instance& instance = instance_of(view);
        std::string value = has_interface(instance) ? value_of(instance) : std::string();
        return value.empty() ? Values{} : Values{std::move(value)};
    };
}

// What DescribeNetworkInterfaces and, under "network-interface.", DescribeInstances filter by.
template <class View, class Get>
void add_facts(Getters<View>& getters, const std::string& prefix, Get instance_of) {
    const auto fact = [&](const std::string& name, auto value_of) {
        add_fact<View>(getters, prefix + name, instance_of, value_of);
    };
    fact("addresses.primary", [](const Instance&) { return boolean(true); });
    fact("addresses.private-dns-name", [](const Instance& i) { return private_dns_name(i); });
    fact("addresses.private-ip-address", [](const Instance& i) { return i.private_ip; });
    const auto owner_of_public_ip = [](const Instance& i) {
        return i.public_ip.empty() ? std::string() : std::string("amazon");
    };
    for (const std::string part : {"addresses.association.", "association."}) {
        fact(part + "public-ip", [](const Instance& i) { return i.public_ip; });
        fact(part + "ip-owner-id", owner_of_public_ip);
    }
    fact("attachment.attach-time", [](const Instance& i) { return format_iso8601(i.created); });
    fact("attachment.attachment-id",
         [](const Instance& i) { return derived_id("eni-attach", i.network_interface_id.str()); });
    fact("attachment.delete-on-termination", [](const Instance&) { return boolean(true); });
    fact("attachment.device-index", [](const Instance&) { return std::string("0"); });
    fact("attachment.instance-id", [](const Instance& i) { return i.id.str(); });
    fact("attachment.instance-owner-id", [](const Instance& i) { return i.owner_id.str(); });
    fact("attachment.network-card-index", [](const Instance&) { return std::string("0"); });
    fact("attachment.status", [](const Instance&) { return std::string("attached"); });
    fact("availability-zone", [](const Instance& i) { return i.availability_zone; });
    fact("description", [](const Instance& i) { return i.interface_description; });
    fact("mac-address", [](const Instance& i) { return i.mac; });
    fact("operator.managed", [](const Instance&) { return boolean(false); });
    fact("outpost-arn", [](const Instance& i) { return i.outpost_arn; });
    fact("network-interface-id", [](const Instance& i) { return i.network_interface_id.str(); });
    fact("owner-id", [](const Instance& i) { return i.owner_id.str(); });
    fact("private-dns-name", [](const Instance& i) { return private_dns_name(i); });
    fact("private-ip-address", [](const Instance& i) { return i.private_ip; });
    fact("requester-managed", [](const Instance&) { return boolean(false); });
    fact("source-dest-check", [](const Instance& i) { return boolean(i.source_dest_check); });
    fact("status", [](const Instance&) { return std::string("in-use"); });
    fact("subnet-id", [](const Instance& i) { return i.subnet_id.str(); });
    fact("vpc-id", [](const Instance& i) { return i.vpc_id.str(); });
}

Values group_ids(const InstanceView& view) {
    Values values;
    if (!has_interface(view.instance)) {
        return values;
    }
    for (const model::SecurityGroupId& id : view.instance.security_groups) {
        values.push_back(id.str());
    }
    return values;
}

Values group_names(const InstanceView& view) {
    Values values;
    if (!has_interface(view.instance)) {
        return values;
    }
    for (const auto& [id, name] : view.group_names) {
        values.push_back(name);
    }
    return values;
}

FilterTable<InterfaceView> make_interface_table() {
    using View = InterfaceView;
    Getters<View> getters;
    add_facts<View>(getters, "",
                    [](const View& view) -> const Instance& { return view.owner.instance; });
    getters["group-id"] = [](const View& view) { return group_ids(view.owner); };
    getters["availability-zone-id"] = [](const View& view) { return Values{view.owner.zone_id}; };
    getters["group-name"] = [](const View& view) { return group_names(view.owner); };
    getters["interface-type"] = [](const View&) { return Values{"interface"}; };
    getters["addresses.association.owner-id"] = getters.at("addresses.association.ip-owner-id");
    // There are no addresses of one's own, names of public ones, IPv6, and other services that ask
    // for interfaces.
    add_none<View>(getters, {"association.allocation-id", "association.association-id",
                             "association.public-dns-name", "ipv6-addresses.ipv6-address",
                             "operator.principal", "requester-id"});
    return FilterTable<View>(tags_of<View>, std::move(getters));
}

}  // namespace

void add_interface_filters(InstanceGetters& getters) {
    add_facts<InstanceView>(
        getters, "network-interface.",
        [](const InstanceView& view) -> const Instance& { return view.instance; });
    for (const char* name : {"group-id", "instance.group-id", "network-interface.group-id"}) {
        getters[name] = group_ids;
    }
    for (const char* name : {"group-name", "instance.group-name", "network-interface.group-name"}) {
        getters[name] = group_names;
    }
    const auto instance_of = [](const InstanceView& view) -> const Instance& {
        return view.instance;
    };
    const auto fact = [&](const std::string& name, auto value_of) {
        add_fact<InstanceView>(getters, name, instance_of, value_of);
    };
    fact("private-dns-name", [](const Instance& i) { return private_dns_name(i); });
    fact("network-interface.deny-all-igw-traffic", [](const Instance&) { return boolean(false); });
    fact("network-interface.ipv6-native", [](const Instance&) { return boolean(false); });
    for (const char* name : {"subnet-id", "vpc-id"}) {
        getters[name] = getters.at(std::string("network-interface.") + name);
    }
    const auto tags = [&](const char* name, std::string model::Tag::*part) {
        getters[name] = [part](const InstanceView& view) {
            Values values;
            for (const model::Tag& tag : view.interface_tags) {
                values.push_back(tag.*part);
            }
            return values;
        };
    };
    tags("network-interface.tag-key", &model::Tag::key);
    tags("network-interface.tag-value", &model::Tag::value);
    getters["dns-name"] = [](const InstanceView&) { return Values{}; };
}

const FilterTable<VpcView>& vpc_filters() {
    static const FilterTable<VpcView> table = make_vpc_table();
    return table;
}

const FilterTable<SubnetView>& subnet_filters() {
    static const FilterTable<SubnetView> table = make_subnet_table();
    return table;
}

const FilterTable<InterfaceView>& interface_filters() {
    static const FilterTable<InterfaceView> table = make_interface_table();
    return table;
}

}  // namespace kiln::control
