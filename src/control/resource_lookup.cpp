// SPDX-License-Identifier: Apache-2.0
#include "control/resource_lookup.h"

#include <fmt/format.h>

#include "control/image_rules.h"
#include "control/profile_associations.h"
#include "control/resource_facts.h"
#include "control/snapshot_access.h"
#include "control/taggable.h"

namespace kiln::control {
namespace {

using Found = Result<std::optional<PolicyResource>>;
using Tx = catalog::Transaction;

template <class T>
bool is_own(const std::optional<T>& row, const Caller& caller) {
    return row && row->owner_id == caller.account && row->region == caller.region;
}

template <class T>
Found tagged(Tx& tx, const Caller& caller, const T& row) {
    TRY_ASSIGN(auto resource, with_tags(tx, caller, resource_of(caller, row), row.id.str()));
    return std::optional(std::move(resource));
}

// Of the caller, by its id.
template <class T, class Id>
Found own(Tx& tx, const Caller& caller, catalog::Repository<T> rows, const Id& id) {
    TRY_ASSIGN(const auto row, rows.find(id));
    return is_own(row, caller) ? tagged(tx, caller, *row) : Found(std::nullopt);
}

Found find_image(Tx& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto image, tx.images().find(model::ImageId(id)));
    const bool visible = image && image->region == caller.region && may_use(*image, caller);
    return visible ? tagged(tx, caller, *image) : Found(std::nullopt);
}

Found find_snapshot(Tx& tx, const Caller& caller, const std::string& id) {
    TRY_ASSIGN(const auto snapshot, tx.snapshots().find(model::SnapshotId(id)));
    if (!snapshot || snapshot->region != caller.region) {
        return Found(std::nullopt);
    }
    TRY_ASSIGN(const bool readable, may_read(tx, *snapshot, caller.account));
    return readable ? tagged(tx, caller, *snapshot) : Found(std::nullopt);
}

// By id, or by name in the default VPC (SG-10).
Found find_group(Tx& tx, const Caller& caller, const std::string& name) {
    if (name.starts_with("sg-")) {
        return own(tx, caller, tx.security_groups(), model::SecurityGroupId(name));
    }
    catalog::VpcQuery vpcs;
    vpcs.region = caller.region;
    vpcs.owners = {caller.account};
    vpcs.is_default = true;
    TRY_ASSIGN(const auto vpc, tx.vpcs().list(vpcs));
    if (vpc.empty()) {
        return Found(std::nullopt);
    }
    catalog::SecurityGroupQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.vpc = vpc.front().id;
    query.names = {name};
    TRY_ASSIGN(const auto groups, tx.security_groups().list(query));
    return groups.empty() ? Found(std::nullopt) : tagged(tx, caller, groups.front());
}

Found find_vpc(Tx& tx, const Caller& caller, const std::string& id) {
    if (!id.empty()) {
        return own(tx, caller, tx.vpcs(), model::VpcId(id));
    }
    catalog::VpcQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.is_default = true;
    TRY_ASSIGN(const auto vpcs, tx.vpcs().list(query));
    return vpcs.empty() ? Found(new_resource(caller, "vpc")) : tagged(tx, caller, vpcs.front());
}

Found find_pair(Tx& tx, const Caller& caller, const std::string& name) {
    catalog::KeyPairQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.names = {name};
    TRY_ASSIGN(auto pairs, tx.key_pairs().list(query));
    if (pairs.empty() && name.starts_with("key-")) {  // an id, unless it is a name after all
        query.names.clear();
        query.ids.emplace_back(name);
        TRY_ASSIGN(pairs, tx.key_pairs().list(query));
    }
    return pairs.empty() ? Found(std::nullopt) : tagged(tx, caller, pairs.front());
}

Found find_template(Tx& tx, const Caller& caller, const std::string& name) {
    catalog::LaunchTemplateQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.names = {name};
    if (name.starts_with("lt-")) {
        query.names.clear();
        query.ids.emplace_back(name);
    }
    TRY_ASSIGN(const auto found, tx.launch_templates().list(query));
    if (found.empty()) {
        return Found(std::nullopt);
    }
    const std::string& id = found.front().id.str();
    TRY_ASSIGN(auto resource,
               with_tags(tx, caller, bare_resource(caller, "launch-template", id), id));
    return std::optional(std::move(resource));
}

Found find_interface(Tx& tx, const Caller& caller, const std::string& id) {
    catalog::InstanceQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    TRY_ASSIGN(const auto instances, tx.instances().list(query));
    for (const model::Instance& instance : instances) {
        if (instance.network_interface_id.str() == id) {
            TRY_ASSIGN(auto resource, with_tags(tx, caller, interface_of(caller, instance), id));
            return std::optional(std::move(resource));
        }
    }
    return Found(std::nullopt);
}

PolicyResource identity(std::string arn, const std::vector<model::Tag>& tags) {
    PolicyResource resource = resource_by_arn(std::move(arn));
    add_tags(resource.facts, tags);
    return resource;
}

// Of the service iam: the path is in the ARN, and not in the request.
template <class Query, class T>
Found find_identity(catalog::Repository<T> rows, const Caller& caller, const std::string& name) {
    Query query;
    query.owners = {caller.account};
    query.names = {name};
    TRY_ASSIGN(const auto found, rows.list(query));
    return found.empty() ? Found(std::nullopt)
                         : Found(identity(model::arn_of(found.front()), found.front().tags));
}

Found find_one(Tx& tx, const Caller& caller, const ResourceName& wanted) {
    const std::string& type = wanted.type;
    const std::string& name = wanted.name;
    if (type == "image") {
        return find_image(tx, caller, name);
    }
    if (type == "snapshot") {
        return find_snapshot(tx, caller, name);
    }
    if (type == "volume") {
        return own(tx, caller, tx.volumes(), model::VolumeId(name));
    }
    if (type == "instance") {
        return own(tx, caller, tx.instances(), model::InstanceId(name));
    }
    if (type == "vpc") {
        return find_vpc(tx, caller, name);
    }
    if (type == "subnet") {
        return own(tx, caller, tx.subnets(), model::SubnetId(name));
    }
    if (type == "security-group") {
        return find_group(tx, caller, name);
    }
    if (type == "key-pair") {
        return find_pair(tx, caller, name);
    }
    if (type == "launch-template") {
        return find_template(tx, caller, name);
    }
    if (type == "network-interface") {
        return find_interface(tx, caller, name);
    }
    if (type == "role") {
        return find_identity<catalog::RoleQuery>(tx.roles(), caller, name);
    }
    if (type == "user") {
        return find_identity<catalog::UserQuery>(tx.users(), caller, name);
    }
    if (type == "instance-profile") {
        return find_identity<catalog::InstanceProfileQuery>(tx.instance_profiles(), caller, name);
    }
    return std::optional<PolicyResource>();
}

PolicyResource name_alone(const Caller& caller, const ResourceName& wanted) {
    const std::string account = caller.account.str();
    if (wanted.type == "role" || wanted.type == "user" || wanted.type == "instance-profile") {
        return resource_by_arn(
            fmt::format("arn:aws:iam::{}:{}/{}", account, wanted.type, wanted.name));
    }
    if (wanted.type == "parameter") {
        const std::string_view name = wanted.name;
        const bool everybodys = name.starts_with("/aws/");
        return resource_by_arn(fmt::format("arn:aws:ssm:{}:{}:parameter/{}", caller.region,
                                           everybodys ? "" : account,
                                           name.substr(name.starts_with('/') ? 1 : 0)));
    }
    return bare_resource(caller, wanted.type, wanted.name);
}

// The names that this one leads to; itself, if it is of no such kind. Nothing where there is none.
Result<std::vector<ResourceName>> follow(Tx& tx, const Caller& caller, const ResourceName& from) {
    std::vector<ResourceName> names;
    if (from.type == "attached-volume") {
        catalog::VolumeQuery query;
        query.region = caller.region;
        query.owners = {caller.account};
        query.attached_to = {model::InstanceId(from.name)};
        TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
        for (const model::Volume& volume : volumes) {
            names.push_back({"volume", volume.id.str()});
        }
    } else if (from.type == "attached-instance") {
        TRY_ASSIGN(const auto volume, tx.volumes().find(model::VolumeId(from.name)));
        if (is_own(volume, caller)) {
            for (const model::VolumeAttachment& attachment : volume->attachments) {
                names.push_back({"instance", attachment.instance_id.str()});
            }
        }
    } else if (from.type == "mapped-snapshot") {
        TRY_ASSIGN(const auto image, tx.images().find(model::ImageId(from.name)));
        if (is_own(image, caller)) {
            for (const model::BlockDeviceMapping& mapping : image->block_device_mappings) {
                if (mapping.ebs && !mapping.ebs->snapshot_id.empty()) {
                    names.push_back({"snapshot", mapping.ebs->snapshot_id.str()});
                }
            }
        }
    } else if (from.type == "profile-association") {
        catalog::InstanceQuery query;
        query.region = caller.region;
        query.owners = {caller.account};
        TRY_ASSIGN(const auto instances, tx.instances().list(query));
        for (const model::Instance& instance : instances) {
            if (instance.profile && association_of(instance).id.str() == from.name) {
                names.push_back({"instance", instance.id.str()});
            }
        }
        if (names.empty()) {  // looks like one of an instance that may not be touched
            names.push_back({"instance", from.name});
        }
    } else {
        names.push_back(from);
    }
    return names;
}

}  // namespace

Result<PolicyResource> find_resource(Tx& tx, const Caller& caller, const ResourceName& wanted) {
    Caller there = caller;
    if (!wanted.region.empty()) {
        there.region = wanted.region;
    }
    TRY_ASSIGN(auto found, find_one(tx, there, wanted));
    PolicyResource bare = name_alone(there, wanted);
    if (found) {
        if (found->arns.front() != bare.arns.front()) {
            found->facts.set(kAskedAs, bare.arns.front());
        }
        return std::move(*found);
    }
    // Of some kinds, nothing but the tags is to be known.
    const auto taggable = find_taggable(tx, there, wanted.name);
    if (!taggable) {
        const bool refused = !taggable.error().api_code().empty();
        return refused ? Result<PolicyResource>(std::move(bare)) : taggable.error();
    }
    return *taggable == wanted.type ? with_tags(tx, there, std::move(bare), wanted.name)
                                    : Result<PolicyResource>(std::move(bare));
}

Result<PolicyResource> with_tags(Tx& tx, const Caller& caller, PolicyResource resource,
                                 const std::string& id) {
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, {id}));
    add_tags(resource.facts, tags[id]);
    return resource;
}

PolicyResource ResourceLookup::name(const Caller& caller, const ResourceName& name) {
    return name_alone(caller, name);
}

Result<std::vector<PolicyResource>> ResourceLookup::find(const Caller& caller,
                                                         const std::vector<ResourceName>& names) {
    return store_.read([&](Tx& tx) -> Result<std::vector<PolicyResource>> {
        std::vector<PolicyResource> resources;
        for (const ResourceName& name : names) {
            TRY_ASSIGN(const auto meant, follow(tx, caller, name));
            for (const ResourceName& one : meant) {
                TRY_ASSIGN(resources.emplace_back(), find_resource(tx, caller, one));
                if (name.type == "profile-association") {
                    resources.back().facts.set(
                        kAskedAs, bare_resource(caller, "instance", name.name).arns.front());
                }
            }
        }
        return resources;
    });
}

}  // namespace kiln::control
