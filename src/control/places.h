// SPDX-License-Identifier: Apache-2.0
// Where snapshots lie and may go (REG-5 .. REG-7): in their region, in a local zone of it, or on an
// outpost. What lies in a local zone is used there alone.
//
// Snapshots on an outpost are always encrypted. As encryption is not built, none is made there: a
// request for one is checked like any other and then refused by name.
//
// Thread model: functions within a transaction, and pure ones.
#pragma once

#include <span>
#include <string>

#include "control/caller.h"
#include "control/parts.h"
#include "model/image.h"
#include "model/snapshot.h"

namespace kiln::control {

// At most one of the last two.
struct Place {
    std::string region;
    std::string local_zone{};   // a name
    std::string outpost_arn{};  // or its ARN
    friend bool operator==(const Place&, const Place&) = default;
};

// REG-7: InvalidParameterCombination for what cannot be copied there.
Status check_direction(const Place& from, const Place& to);

// What a copy's request says of where to; each may be empty.
struct PlaceInput {
    std::string zone;  // name or id
    std::string outpost_arn;
};
// Of the caller's region. InvalidZone.NotFound, or InvalidParameterValue for a zone that is no
// local one and for an unknown outpost.
Result<Place> find_place(catalog::Transaction& tx, const Topology& topology, const Caller& caller,
                         const PlaceInput& input);
// UnsupportedOperation for an outpost.
Status check_place_is_built(const Place& place);

Place place_of(const model::Snapshot& snapshot);
// An image lies in a local zone when one of its snapshots does.
Result<Place> place_of(catalog::Transaction& tx, const model::Image& image);

// REG-5: SnapshotLocation and Location.
struct LocationInput {
    std::string location;     // local, regional; or empty
    std::string outpost_arn;  // or empty
};
// Where a new snapshot of the volume goes: the name of its local zone, or empty for its region.
Result<std::string> local_zone_for(const Topology& topology, const model::Volume& volume,
                                   const LocationInput& input);

// RegisterImage: what is in two local zones could be launched in neither.
Status check_one_place(std::span<const model::Snapshot> snapshots);

}  // namespace kiln::control
