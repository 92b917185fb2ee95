// SPDX-License-Identifier: Apache-2.0
// ProfileAssociations: which instance has which instance profile (IPA-1 to IPA-3), and changing
// that. An instance has one at most; its metadata service gives the keys of the new role from the
// next request on. Thread-safe, blocking.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_profiles.h"
#include "control/pagination.h"
#include "model/instance.h"

namespace kiln::control {

struct AssociationView {
    model::ProfileAssociation association;
    model::InstanceProfileRef profile;
    model::InstanceId instance;
    std::string state;   // associated, or what a request just asked for
    UnixMillis created;  // of the instance: the order they are listed in
};

const FilterTable<AssociationView>& association_filters();

struct DescribeAssociationsInput {
    std::vector<model::ProfileAssociationId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

// The association an instance has its profile by: a launch makes none of its own, and that of its
// first profile is named like the instance.
model::ProfileAssociation association_of(const model::Instance& instance);

class ProfileAssociations {
  public:
    ProfileAssociations(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    // IncorrectState when it has a profile.
    Result<AssociationView> associate(const Caller& caller, const model::InstanceId& instance,
                                      const InstanceProfileSpec& profile);
    // InvalidAssociationID.NotFound for what is none, or somebody else's.
    Result<AssociationView> disassociate(const Caller& caller,
                                         const model::ProfileAssociationId& id);
    // The association that takes the place of that one.
    Result<AssociationView> replace(const Caller& caller, const model::ProfileAssociationId& id,
                                    const InstanceProfileSpec& profile);
    Result<Page<AssociationView>> describe(const Caller& caller,
                                           const DescribeAssociationsInput& input);

  private:
    Result<AssociationView> put(catalog::Transaction& tx, model::Instance instance,
                                const model::InstanceProfileRef& profile);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::control
