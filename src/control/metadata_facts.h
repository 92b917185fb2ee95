// SPDX-License-Identifier: Apache-2.0
// What an instance is told about itself, and the tree that says it (IMDS-5 .. IMDS-10). What does
// not apply to an instance, or is not known, is absent from the tree. Thread model: plain values
// and pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/metadata_identity.h"
#include "control/metadata_tree.h"
#include "model/instance.h"
#include "model/tag.h"

namespace kiln::control {

// What the row of an instance does not say about its interface.
struct InterfaceFacts {
    std::vector<std::string> security_group_names;
    std::string subnet_cidr;  // "172.31.0.0/20"
    std::vector<std::string> vpc_cidrs;
};

struct MetadataFacts {
    model::Instance instance;
    std::string zone_id;         // use1-az1
    std::string image_location;  // of an instance store-backed image: its manifest
    std::vector<model::Tag> tags;
    InterfaceFacts interface;
    std::optional<IdentityFacts> identity{};
};

// Of one version: "meta-data/...", "dynamic/...", "user-data"; all but the signatures, for which
// the store's key is needed (metadata_signatures.h).
MetadataTree build_metadata_tree(const MetadataFacts& facts);

// IMDS-1: the first name of every path. All of them show the same tree.
std::span<const std::string_view> metadata_versions();

// "ip-172-31-5-10.ec2.internal"; empty without an address.
std::string private_dns_name(const model::Instance& instance);

// IMDS-11: what may be a key in tags/instance/; more is not a path of one name.
bool is_metadata_tag_key(std::string_view key);

}  // namespace kiln::control
