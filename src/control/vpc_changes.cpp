// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "compute/network/config.h"
#include "control/api_errors.h"
#include "control/default_network.h"
#include "control/network_changes.h"
#include "control/vpc_parts.h"
#include "model/cidr.h"

namespace kiln::control {
namespace {

constexpr unsigned kWidestPrefix = 16;  // NET-14, as Amazon's
constexpr unsigned kNarrowestPrefix = 28;

Error has_dependencies(const model::VpcId& id) {
    return Error::api(
        Code::failed_precondition, "DependencyViolation",
        fmt::format("The vpc '{}' has dependencies and cannot be deleted.", id.str()));
}

Status check_room(catalog::Transaction& tx, const Caller& caller) {
    catalog::VpcQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    TRY_ASSIGN(const auto vpcs, tx.vpcs().list(query));
    if (vpcs.size() >= kMaxVpcsPerRegion) {
        return Error::api(Code::resource_exhausted, "VpcLimitExceeded",
                          "The maximum number of VPCs has been reached.");
    }
    return ok();
}

Status erase_group(catalog::Transaction& tx, const model::SecurityGroup& group) {
    for (const model::SecurityGroupRule& rule : group.rules) {
        TRY(tx.tags().erase_resource(rule.id.str()));
    }
    TRY(tx.tags().erase_resource(group.id.str()));
    return tx.security_groups().erase(group.id);
}

// NET-15: only its own default group goes with it.
Status erase_vpc(catalog::Transaction& tx, const model::Vpc& vpc) {
    catalog::SubnetQuery subnets;
    subnets.vpc = vpc.id;
    TRY_ASSIGN(const auto inside, tx.subnets().list(subnets));
    catalog::SecurityGroupQuery query;
    query.vpc = vpc.id;
    TRY_ASSIGN(const auto groups, tx.security_groups().list(query));
    if (!inside.empty() || groups.size() > 1) {
        return has_dependencies(vpc.id);
    }
    for (const model::SecurityGroup& group : groups) {
        if (group.name != kDefaultGroupName) {
            return has_dependencies(vpc.id);
        }
        TRY(erase_group(tx, group));
    }
    TRY(erase_vpc_part_tags(tx, vpc.id));
    TRY(tx.tags().erase_resource(vpc.id.str()));
    return tx.vpcs().erase(vpc.id);
}

}  // namespace

Result<model::Ipv4Cidr> NetworkChanges::vpc_range(const std::string& text) const {
    const auto range = model::parse_ipv4_cidr(text);
    if (!range) {
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            text));
    }
    const auto refused = [&](const std::string& why) {
        return Error::api(Code::invalid_argument, "InvalidVpc.Range",
                          fmt::format("The CIDR '{}' is invalid.{}", text, why));
    };
    if (range->prefix < kWidestPrefix || range->prefix > kNarrowestPrefix) {
        return refused("");
    }
    const compute::Cidr network{{range->address}, static_cast<std::uint8_t>(range->prefix)};
    if (compute::is_reserved(network)) {
        return refused(" These addresses have a meaning of their own.");
    }
    const auto pool = networks_.public_pool();
    if (pool && (pool->contains(network) || network.contains(*pool))) {
        return refused(" It overlaps the addresses that instances are reached at.");
    }
    return *range;
}

Result<VpcView> NetworkChanges::create_vpc(const Caller& caller, const CreateVpcInput& input) {
    TRY(check_tag_specifications(input.tags, {"vpc"}));
    TRY_ASSIGN(const model::Ipv4Cidr range, vpc_range(input.cidr));
    TRY(make_default_network(parts_, caller));  // it counts, and is older
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<VpcView> {
        TRY(check_room(tx, caller));
        VpcView view;
        view.tags = tags_for(input.tags, "vpc");
        model::Vpc& vpc = view.vpc;
        vpc.id = model::make_id<model::VpcId>(parts_.rng);
        vpc.owner_id = caller.account;
        vpc.region = caller.region;
        vpc.cidr = model::format_cidr(range);
        vpc.created = parts_.clock.now();
        vpc.dns_hostnames = false;
        TRY(tx.vpcs().insert(vpc));
        TRY(make_default_group(tx, parts_, vpc));
        TRY(put_tags(tx, caller, "vpc", vpc.id.str(), view.tags));
        if (input.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        return view;
    });
}

Result<VpcView> NetworkChanges::create_default_vpc(const Caller& caller, bool dry_run) {
    TRY(make_default_network(parts_, caller));
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<VpcView> {
        const auto there = ensure_default_network(tx, parts_, caller);
        if (there) {
            return Error::api(Code::already_exists, "DefaultVpcAlreadyExists",
                              "A Default VPC already exists for this account in this region.");
        }
        if (there.error().api_code() != no_default_vpc().api_code()) {
            return there.error();
        }
        TRY(check_room(tx, caller));
        TRY(choose_default_network(tx, parts_, caller, false));
        TRY_ASSIGN(DefaultNetwork network, ensure_default_network(tx, parts_, caller));
        if (dry_run) {
            return errors::dry_run();
        }
        return VpcView{std::move(network.vpc), {}};
    });
}

Status NetworkChanges::delete_vpc(const Caller& caller, const model::VpcId& id, bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::Vpc vpc, find_own_vpc(tx, caller, id));
        TRY(erase_vpc(tx, vpc));
        if (vpc.is_default) {
            TRY(choose_default_network(tx, parts_, caller, true));
        }
        return dry_run ? Status(errors::dry_run()) : ok();
    });
}

Status NetworkChanges::modify_vpc(const Caller& caller, const model::VpcId& id,
                                  const VpcChange& change) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Vpc vpc, find_own_vpc(tx, caller, id));
        vpc.dns_support = change.dns_support.value_or(vpc.dns_support);
        if (change.dns_hostnames.value_or(false) && !vpc.dns_support) {
            return errors::invalid_parameter_value(
                "DNS hostnames can be enabled only while DNS support is enabled.");
        }
        vpc.dns_hostnames = change.dns_hostnames.value_or(vpc.dns_hostnames);
        return tx.vpcs().update(vpc);
    });
}

}  // namespace kiln::control
