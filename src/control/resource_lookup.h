// SPDX-License-Identifier: Apache-2.0
// ResourceLookup: from the names of a request to what policies see of the resources (IAM-7). What
// is not there and what the caller may not know of looks the same: its name alone. What a name says
// wrongly is for the use case to refuse, later. Thread-safe, blocking.
#pragma once

#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/policy.h"

namespace kiln::control {

// A resource as a request names it.
struct ResourceName {
    std::string type;      // as tags name it: "image"; also "role", "user", "instance-profile",
                           // "parameter"
    std::string name;      // id, or name where there are names
    std::string region{};  // empty: the caller's
};

class ResourceLookup {
  public:
    explicit ResourceLookup(catalog::Store& store) : store_(store) {}

    // In the order of the names, with the caller's tags. `vpc` with an empty name is the default
    // one. Also of what a name leads to: `attached-volume` (of an instance), `attached-instance`
    // (of a volume), `mapped-snapshot` (of an image), `profile-association`: its instance.
    Result<std::vector<PolicyResource>> find(const Caller& caller,
                                             const std::vector<ResourceName>& names);
    // What is not there yet, by the name that it will have.
    static PolicyResource name(const Caller& caller, const ResourceName& name);

  private:
    catalog::Store& store_;
};

// Within a transaction: as ResourceLookup::find, of one that leads to no other.
Result<PolicyResource> find_resource(catalog::Transaction& tx, const Caller& caller,
                                     const ResourceName& name);
// The resource with the caller's tags.
Result<PolicyResource> with_tags(catalog::Transaction& tx, const Caller& caller,
                                 PolicyResource resource, const std::string& id);

}  // namespace kiln::control
