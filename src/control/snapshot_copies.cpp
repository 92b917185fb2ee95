// SPDX-License-Identifier: Apache-2.0
#include "control/snapshot_copies.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/quotas.h"
#include "control/snapshot_access.h"
#include "control/snapshots.h"
#include "control/space.h"
#include "control/topology.h"

namespace kiln::control {
namespace {

// Of a time-based copy.
constexpr std::int64_t kMinutesStep = 15;
constexpr std::int64_t kMostMinutes = 48 * 60;

}  // namespace

Status check_source_region(const Topology& topology, const std::string& region) {
    if (topology.find_enabled(region) == nullptr) {
        return Error::api(
            Code::invalid_argument, "InvalidRegion",
            fmt::format("Invalid source region '{}'. DescribeRegions lists the regions there are.",
                        region));
    }
    return ok();
}

Status check_completion_minutes(std::optional<std::int64_t> minutes, std::string_view parameter) {
    if (minutes &&
        (*minutes < kMinutesStep || *minutes > kMostMinutes || *minutes % kMinutesStep != 0)) {
        return errors::invalid_parameter_value(fmt::format("{} is a multiple of {} from {} to {}.",
                                                           parameter, kMinutesStep, kMinutesStep,
                                                           kMostMinutes));
    }
    return ok();
}

model::Snapshot begin_snapshot_copy(const Parts& parts, const Caller& caller,
                                    const model::Snapshot& source,
                                    std::optional<std::int64_t> completion_minutes) {
    model::Snapshot copy;
    copy.id = model::make_id<model::SnapshotId>(parts.rng);
    copy.owner_id = caller.account;
    copy.region = caller.region;
    copy.state = model::SnapshotState::completed;
    copy.progress_percent = 100;
    copy.volume_id = model::VolumeId(std::string(model::kPlaceholderVolumeId));  // SNP-7
    copy.volume_size_gib = source.volume_size_gib;
    copy.source_image = source.source_image;
    copy.content = source.content;
    copy.encrypted = source.encrypted;
    copy.kms_key_id = source.kms_key_id;
    copy.full_size_bytes = source.full_size_bytes;
    copy.transfer_type = completion_minutes ? model::SnapshotTransfer::time_based
                                            : model::SnapshotTransfer::standard;
    copy.completion_minutes = completion_minutes;
    copy.created = parts.clock.now();
    copy.completed = copy.created;
    return copy;
}

Result<SnapshotView> SnapshotCopies::copy(const Caller& caller, const CopySnapshotInput& input) {
    TRY(check_source_region(parts_.topology, input.source_region));
    TRY(check_completion_minutes(input.completion_minutes, "CompletionDurationMinutes"));
    TRY(check_snapshot_request(input.description, input.tags));
    TRY(check_space(parts_.space, SpaceFor::data, "a snapshot"));  // SPC-1
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<SnapshotView> {
        Caller there = caller;
        there.region = input.source_region;
        TRY_ASSIGN(const auto source, find_readable_snapshot(tx, there, input.source_snapshot_id));
        TRY_ASSIGN(const Place to, find_place(tx, parts_.topology, caller, input.place));
        TRY(check_direction(place_of(source), to));
        TRY(check_place_is_built(to));
        TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, 1));
        TRY_ASSIGN(const model::Account owner, tx.accounts().get(caller.account));
        model::Snapshot copy =
            begin_snapshot_copy(parts_, caller, source, input.completion_minutes);
        copy.owner_alias = owner.alias;
        copy.local_zone = to.local_zone;
        copy.description = input.description;  // SNP-16
        if (input.dry_run) {
            return errors::dry_run();
        }
        TRY(tx.snapshots().insert(copy));
        const auto tags = tags_for(input.tags, "snapshot");
        TRY(put_tags(tx, caller, "snapshot", copy.id.str(), tags));
        return SnapshotView{copy, tags};
    });
}

}  // namespace kiln::control
