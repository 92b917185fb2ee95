// SPDX-License-Identifier: Apache-2.0
// Metadata: what the metadata service answers for one instance (section 31), made from the
// catalog's rows at each request, so that it is never older than they are.
//
// Which instance asks is the caller's to know, and the only thing it says: nothing in a request can
// name another one. Thread-safe, blocking.
#pragma once

#include <functional>
#include <memory>

#include "catalog/store.h"
#include "control/metadata_facts.h"
#include "control/metadata_signatures.h"
#include "control/metadata_tokens.h"
#include "control/topology.h"

namespace kiln::control {

class Metadata {
  public:
    // What the network knows of an instance's interface. Thread-safe; may be empty.
    using InterfaceLookup = std::function<InterfaceFacts(const model::Instance&)>;

    // Makes the store's secrets if it has none yet.
    static Result<std::unique_ptr<Metadata>> create(catalog::Store& store, io::Clock& clock,
                                                    io::Rng& rng, const Topology& topology,
                                                    Sessions& sessions, InterfaceLookup interfaces);

    Result<model::Instance> instance(const model::InstanceId& id);
    // `path` without the version. Nothing when the instance has no such path.
    Result<std::optional<MetadataTree::Found>> find(const model::Instance& instance,
                                                    std::span<const std::string> path);
    MetadataTokens& tokens() { return tokens_; }
    const MetadataSignatures& signatures() const { return signatures_; }

    // The lookup over the catalog's own groups, subnets and VPCs.
    static InterfaceLookup catalog_interfaces(catalog::Store& store);

  private:
    Metadata(catalog::Store& store, io::Clock& clock, MetadataTokens tokens,
             MetadataSignatures signatures, const Topology& topology, Sessions& sessions,
             InterfaceLookup interfaces)
        : store_(store),
          clock_(clock),
          tokens_(std::move(tokens)),
          signatures_(std::move(signatures)),
          topology_(topology),
          sessions_(sessions),
          interfaces_(std::move(interfaces)) {}
    Result<MetadataFacts> facts(const model::Instance& instance);

    catalog::Store& store_;
    io::Clock& clock_;
    MetadataTokens tokens_;
    const MetadataSignatures signatures_;
    const Topology& topology_;
    Sessions& sessions_;
    const InterfaceLookup interfaces_;
};

}  // namespace kiln::control
