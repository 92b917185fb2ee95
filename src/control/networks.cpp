// SPDX-License-Identifier: Apache-2.0
#include "control/networks.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/default_network.h"
#include "control/security_groups.h"
#include "model/cidr.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2

// IDL-2: every id must be there; leaves only those, when any were given.
template <class View, class Id, class IdOf>
Status keep_chosen(std::vector<View>& views, const std::vector<Id>& ids, IdOf id_of,
                   const char* code, const char* noun) {
    for (const Id& id : ids) {
        if (std::none_of(views.begin(), views.end(),
                         [&](const View& view) { return id_of(view) == id; })) {
            return Error::api(Code::not_found, code,
                              fmt::format("The {} ID '{}' does not exist", noun, id.str()));
        }
    }
    std::erase_if(views, [&](const View& view) {
        return !ids.empty() && std::find(ids.begin(), ids.end(), id_of(view)) == ids.end();
    });
    return ok();
}

template <class View, class CursorOf>
void keep_matching(std::vector<View>& views, const FilterTable<View>& table,
                   const std::vector<Filter>& filters, const PageStart& start, CursorOf cursor_of) {
    std::erase_if(views, [&](const View& view) {
        return !is_after(cursor_of(view), start) || !table.matches(filters, view);
    });
}

template <class View, class IdOf>
Status load_tags(catalog::Transaction& tx, const Caller& caller, std::vector<View>& views,
                 IdOf id_of) {
    std::vector<std::string> ids;
    for (const View& view : views) {
        ids.push_back(id_of(view).str());
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    for (View& view : views) {
        if (const auto found = tags.find(id_of(view).str()); found != tags.end()) {
            view.tags = found->second;
        }
    }
    return ok();
}

template <class Query>
Query own(const Caller& caller) {
    Query query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

}  // namespace

std::uint32_t usable_addresses(const model::Subnet& subnet) {
    const auto range = model::parse_ipv4_cidr(subnet.cidr);
    const std::uint64_t reserved = kReservedAtStart + kReservedAtEnd;
    return range && range->size() > reserved ? static_cast<std::uint32_t>(range->size() - reserved)
                                             : 0;
}

Result<model::Vpc> find_own_vpc(catalog::Transaction& tx, const Caller& caller,
                                const model::VpcId& id) {
    TRY_ASSIGN(auto vpc, tx.vpcs().find(id));
    if (!vpc || vpc->owner_id != caller.account || vpc->region != caller.region) {
        return Error::api(Code::not_found, "InvalidVpcID.NotFound",
                          fmt::format("The vpc ID '{}' does not exist", id.str()));
    }
    return std::move(*vpc);
}

Result<model::Subnet> find_own_subnet(catalog::Transaction& tx, const Caller& caller,
                                      const model::SubnetId& id) {
    TRY_ASSIGN(auto subnet, tx.subnets().find(id));
    if (!subnet || subnet->owner_id != caller.account || subnet->region != caller.region) {
        return Error::api(Code::not_found, "InvalidSubnetID.NotFound",
                          fmt::format("The subnet ID '{}' does not exist", id.str()));
    }
    return std::move(*subnet);
}

Result<Page<VpcView>> Networks::describe_vpcs(const Caller& caller,
                                              const DescribeVpcsInput& input) {
    TRY(vpc_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    TRY(make_default_network(parts_, caller));
    const auto id_of = [](const VpcView& view) { return view.vpc.id; };
    const auto cursor_of = [](const VpcView& view) {
        return catalog::Cursor{view.vpc.created, view.vpc.id.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<VpcView>> {
        TRY_ASSIGN(auto vpcs, tx.vpcs().list(own<catalog::VpcQuery>(caller)));
        std::vector<VpcView> views;
        for (model::Vpc& vpc : vpcs) {
            views.push_back({std::move(vpc), {}});
        }
        TRY(keep_chosen(views, input.ids, id_of, "InvalidVpcID.NotFound", "vpc"));
        TRY(load_tags(tx, caller, views, id_of));
        keep_matching(views, vpc_filters(), input.filters, start, cursor_of);
        return cut_page(caller, input.page, start, std::move(views), cursor_of);
    });
}

Result<Page<SubnetView>> Networks::describe_subnets(const Caller& caller,
                                                    const DescribeSubnetsInput& input) {
    TRY(subnet_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    TRY(make_default_network(parts_, caller));
    const auto id_of = [](const SubnetView& view) { return view.subnet.id; };
    const auto cursor_of = [](const SubnetView& view) {
        return catalog::Cursor{view.subnet.created, view.subnet.id.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<SubnetView>> {
        TRY_ASSIGN(auto subnets, tx.subnets().list(own<catalog::SubnetQuery>(caller)));
        TRY_ASSIGN(auto used, tx.addresses().count(caller.region, caller.account));
        std::vector<SubnetView> views;
        for (model::Subnet& subnet : subnets) {
            const std::uint32_t free = usable_addresses(subnet) - used[subnet.id];
            views.push_back({std::move(subnet), free, {}});
        }
        TRY(keep_chosen(views, input.ids, id_of, "InvalidSubnetID.NotFound", "subnet"));
        TRY(load_tags(tx, caller, views, id_of));
        keep_matching(views, subnet_filters(), input.filters, start, cursor_of);
        return cut_page(caller, input.page, start, std::move(views), cursor_of);
    });
}

Result<Page<InterfaceView>> Networks::describe_interfaces(const Caller& caller,
                                                          const DescribeInterfacesInput& input) {
    TRY(interface_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    const auto id_of = [](const InterfaceView& view) {
        return view.owner.instance.network_interface_id;
    };
    const auto cursor_of = [](const InterfaceView& view) {
        return catalog::Cursor{view.owner.instance.created, view.owner.instance.id.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<InterfaceView>> {
        TRY_ASSIGN(auto instances, tx.instances().list(own<catalog::InstanceQuery>(caller)));
        std::erase_if(instances, [](const model::Instance& i) { return !has_interface(i); });
        TRY_ASSIGN(auto owners, load_views(tx, parts_.topology, caller, std::move(instances)));
        std::vector<InterfaceView> views;
        for (InstanceView& owner : owners) {
            InterfaceView& view = views.emplace_back();
            view.tags = std::move(owner.interface_tags);
            view.owner = std::move(owner);
        }
        TRY(keep_chosen(views, input.ids, id_of, "InvalidNetworkInterfaceID.NotFound",
                        "networkInterface"));
        keep_matching(views, interface_filters(), input.filters, start, cursor_of);
        return cut_page(caller, input.page, start, std::move(views), cursor_of);
    });
}

Result<model::Vpc> Networks::find_vpc(const Caller& caller, const model::VpcId& id) {
    DescribeVpcsInput input;
    input.ids = {id};
    TRY_ASSIGN(auto page, describe_vpcs(caller, input));
    return std::move(page.items.front().vpc);
}

Result<std::vector<AccountAttribute>> Networks::account_attributes(
    const Caller& caller, const std::vector<std::string>& names) {
    TRY(make_default_network(parts_, caller));
    auto query = own<catalog::VpcQuery>(caller);
    query.is_default = true;
    TRY_ASSIGN(const auto vpcs,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.vpcs().list(query); }));
    const std::vector<AccountAttribute> all = {
        {"supported-platforms", {"VPC"}},
        {"default-vpc", {vpcs.empty() ? "none" : vpcs.front().id.str()}},
        {"vpc-max-security-groups-per-interface", {std::to_string(kMaxGroupsPerInterface)}},
        // Addresses cannot be allocated: those that instances get go with them.
        {"max-elastic-ips", {"0"}},
        {"vpc-max-elastic-ips", {"0"}},
        // Memory is what limits instances (RUN-1); EC2 shows a number here, so we show the most one
        // subnet of the default VPC has addresses for.
        {"max-instances", {std::to_string(usable_in_default_subnet())}},
    };
    if (names.empty()) {
        return all;
    }
    std::vector<AccountAttribute> chosen;
    for (const std::string& name : names) {
        const auto found = std::find_if(all.begin(), all.end(), [&](const AccountAttribute& known) {
            return known.name == name;
        });
        if (found == all.end()) {
            return errors::invalid_parameter_value(
                fmt::format("Value ({}) for parameter attributeName is invalid.", name));
        }
        if (std::none_of(chosen.begin(), chosen.end(),
                         [&](const AccountAttribute& known) { return known.name == name; })) {
            chosen.push_back(*found);
        }
    }
    return chosen;
}

}  // namespace kiln::control
