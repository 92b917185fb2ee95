// SPDX-License-Identifier: Apache-2.0
#include "control/metadata.h"

#include "util/log.h"

namespace kiln::control {
namespace {

Result<InterfaceFacts> load_interface(catalog::Transaction& tx, const model::Instance& instance) {
    InterfaceFacts facts;
    if (instance.subnet_id.empty()) {
        return facts;
    }
    catalog::SecurityGroupQuery query;
    query.ids = instance.security_groups;
    if (!query.ids.empty()) {
        TRY_ASSIGN(const auto groups, tx.security_groups().list(query));
        for (const model::SecurityGroup& group : groups) {
            facts.security_group_names.push_back(group.name);
        }
    }
    TRY_ASSIGN(const model::Subnet subnet, tx.subnets().get(instance.subnet_id));
    TRY_ASSIGN(const model::Vpc vpc, tx.vpcs().get(instance.vpc_id));
    facts.subnet_cidr = subnet.cidr;
    facts.vpc_cidrs = {vpc.cidr};
    return facts;
}

}  // namespace

Metadata::InterfaceLookup Metadata::catalog_interfaces(catalog::Store& store) {
    return [&store](const model::Instance& instance) {
        auto facts =
            store.read([&](catalog::Transaction& tx) { return load_interface(tx, instance); });
        if (!facts) {
            log_error("metadata", "the interface of " + instance.id.str() +
                                      " is not known: " + facts.error().to_string());
            return InterfaceFacts{};
        }
        return std::move(*facts);
    };
}

Result<std::unique_ptr<Metadata>> Metadata::create(catalog::Store& store, io::Clock& clock,
                                                   io::Rng& rng, const Topology& topology,
                                                   Sessions& sessions, InterfaceLookup interfaces) {
    TRY_ASSIGN(MetadataTokens tokens, MetadataTokens::create(store, clock, rng));
    TRY_ASSIGN(MetadataSignatures signatures, MetadataSignatures::create(store, clock));
    return std::unique_ptr<Metadata>(new Metadata(store, clock, std::move(tokens),
                                                  std::move(signatures), topology, sessions,
                                                  std::move(interfaces)));
}

Result<model::Instance> Metadata::instance(const model::InstanceId& id) {
    return store_.read([&](catalog::Transaction& tx) { return tx.instances().get(id); });
}

Result<MetadataFacts> Metadata::facts(const model::Instance& instance) {
    MetadataFacts facts;
    facts.instance = instance;
    if (const auto zone = topology_.zone(instance.region, instance.availability_zone)) {
        facts.zone_id = zone->id;
    }
    const bool bundled = instance.root_device_type == model::RootDeviceType::instance_store;
    const bool tagged = instance.metadata_options.instance_tags_enabled;
    if (bundled || tagged) {
        TRY(store_.read([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(const auto image, tx.images().find(instance.image_id));
            facts.image_location = image ? image->location : "";
            TRY_ASSIGN(auto tags, tx.tags().of(instance.owner_id, {instance.id.str()}));
            facts.tags = std::move(tags[instance.id.str()]);
            return ok();
        }));
    }
    if (interfaces_) {
        facts.interface = interfaces_(instance);
    }
    TRY_ASSIGN(facts.identity, load_identity(store_, sessions_, instance, clock_.now()));
    return facts;
}

Result<std::optional<MetadataTree::Found>> Metadata::find(const model::Instance& instance,
                                                          std::span<const std::string> path) {
    TRY_ASSIGN(const MetadataFacts known, facts(instance));
    MetadataTree tree = build_metadata_tree(known);
    signatures_.put(tree, instance);
    return tree.find(path);
}

}  // namespace kiln::control
