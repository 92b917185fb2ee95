// SPDX-License-Identifier: Apache-2.0
#include "control/places.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/zones.h"
#include "model/volume.h"

namespace kiln::control {

Status check_direction(const Place& from, const Place& to) {
    if (!from.outpost_arn.empty()) {
        return errors::invalid_parameter_combination(
            "What lies on an outpost cannot be copied from there.");
    }
    if (!from.local_zone.empty() && !to.outpost_arn.empty()) {
        return errors::invalid_parameter_combination(fmt::format(
            "What lies in the local zone {} cannot be copied to an outpost.", from.local_zone));
    }
    const bool elsewhere = from.region != to.region;
    if (elsewhere && !from.local_zone.empty()) {
        return errors::invalid_parameter_combination(
            fmt::format("What lies in the local zone {} can be copied within its region {} only.",
                        from.local_zone, from.region));
    }
    if (elsewhere && (!to.local_zone.empty() || !to.outpost_arn.empty())) {
        return errors::invalid_parameter_combination(fmt::format(
            "A local zone or an outpost can be copied to from its own region {} only, not from {}.",
            to.region, from.region));
    }
    return ok();
}

Result<Place> find_place(catalog::Transaction& tx, const Topology& topology, const Caller& caller,
                         const PlaceInput& input) {
    Place place{caller.region};
    if (!input.zone.empty() && !input.outpost_arn.empty()) {
        return errors::invalid_parameter_combination(
            "DestinationOutpostArn may not be given together with a zone.");
    }
    if (!input.zone.empty()) {
        TRY_ASSIGN(const Zone zone, usable_zone(tx, topology, caller, input.zone));
        if (!zone.is_local()) {
            return errors::invalid_parameter_value(
                fmt::format("Value ({}) for parameter destinationAvailabilityZone is invalid. It "
                            "is not a local zone.",
                            input.zone));
        }
        place.local_zone = zone.name;
    }
    if (!input.outpost_arn.empty()) {
        TRY_ASSIGN(const Outpost outpost,
                   topology.outpost(caller.region, input.outpost_arn, "destinationOutpostArn"));
        place.outpost_arn = outpost.arn;
    }
    return place;
}

Status check_place_is_built(const Place& place) {
    return place.outpost_arn.empty()
               ? ok()
               : Status(errors::unsupported(
                     "Snapshots on an outpost are always encrypted, and encryption is not built "
                     "yet. Keep the snapshot in the region."));
}

Place place_of(const model::Snapshot& snapshot) {
    return {snapshot.region, snapshot.local_zone};
}

Result<Place> place_of(catalog::Transaction& tx, const model::Image& image) {
    Place place{image.region};
    for (const model::BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (mapping.ebs && !mapping.ebs->snapshot_id.empty() && place.local_zone.empty()) {
            TRY_ASSIGN(const auto snapshot, tx.snapshots().get(mapping.ebs->snapshot_id));
            place.local_zone = snapshot.local_zone;
        }
    }
    return place;
}

Result<std::string> local_zone_for(const Topology& topology, const model::Volume& volume,
                                   const LocationInput& input) {
    if (!input.outpost_arn.empty()) {
        if (input.outpost_arn != volume.outpost_arn) {
            return errors::invalid_parameter_value(
                fmt::format("Value ({}) for parameter outpostArn is invalid. The volume '{}' is "
                            "not on that outpost.",
                            input.outpost_arn, volume.id.str()));
        }
        TRY(check_place_is_built({volume.region, {}, input.outpost_arn}));
    }
    if (input.location.empty()) {
        return std::string();
    }
    if (input.location != "local" && input.location != "regional") {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter location is invalid. It is local or regional.",
                        input.location));
    }
    const auto zone = topology.zone(volume.region, volume.availability_zone);
    if (!zone || !zone->is_local()) {
        return errors::invalid_parameter_value(
            fmt::format("A location can be given for volumes in local zones only. The volume '{}' "
                        "is in {}.",
                        volume.id.str(), volume.availability_zone));
    }
    return input.location == "local" ? zone->name : std::string();
}

Status check_one_place(std::span<const model::Snapshot> snapshots) {
    const model::Snapshot* first = nullptr;
    for (const model::Snapshot& snapshot : snapshots) {
        if (snapshot.local_zone.empty()) {
            continue;
        }
        if (first != nullptr && first->local_zone != snapshot.local_zone) {
            return errors::invalid_mapping(fmt::format(
                "The snapshots '{}' and '{}' lie in different local zones, {} and {}.",
                first->id.str(), snapshot.id.str(), first->local_zone, snapshot.local_zone));
        }
        first = &snapshot;
    }
    return ok();
}

}  // namespace kiln::control
