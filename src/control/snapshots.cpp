// SPDX-License-Identifier: Apache-2.0
#include "control/snapshots.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/cut_sets.h"
#include "control/image_rules.h"
#include "control/instances.h"
#include "control/quotas.h"
#include "control/snapshot_access.h"
#include "control/space.h"
#include "control/volumes.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxExcluded = 40;  // SNP-8
// D8: cuts beyond the length of a chain, where no quota says how many may be pending.
constexpr std::size_t kMostBeyondChain = 5;

Status check_exclusions(catalog::Transaction& tx, const Caller& caller,
                        const model::Instance& instance, const CreateSnapshotsInput& input) {
    if (input.exclude_data_volumes.size() > kMaxExcluded) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} data volumes may be excluded.", kMaxExcluded));
    }
    for (const model::VolumeId& id : input.exclude_data_volumes) {
        TRY_ASSIGN(const model::Volume volume, find_volume(tx, caller, id));
        const model::VolumeAttachment* attachment = model::find_attachment(volume, instance.id);
        if (attachment == nullptr) {
            return errors::invalid_parameter_value(
                fmt::format("The volume '{}' is not attached to the instance '{}'.", id.str(),
                            instance.id.str()));
        }
        if (model::same_device(attachment->device, instance.root_device_name)) {
            return errors::invalid_parameter_value(
                fmt::format("The volume '{}' is the root volume of the instance '{}'. Use "
                            "ExcludeBootVolume to leave it out.",
                            id.str(), instance.id.str()));
        }
    }
    return ok();
}

// The volumes a CreateSnapshots is about: the root first, then by device.
Result<std::vector<model::Volume>> volumes_of(catalog::Transaction& tx, const Caller& caller,
                                              const CreateSnapshotsInput& input) {
    TRY_ASSIGN(const auto found, find_instances(tx, caller, {input.instance_id}));
    const model::Instance& instance = found.front();
    if (instance.state != model::InstanceState::running &&
        instance.state != model::InstanceState::stopped) {
        return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                          fmt::format("The instance '{}' is not in a state from which snapshots "
                                      "can be created.",
                                      instance.id.str()));
    }
    TRY(check_exclusions(tx, caller, instance, input));
    catalog::VolumeQuery attached;
    attached.attached_to = {instance.id};
    TRY_ASSIGN(auto volumes, tx.volumes().list(attached));
    const auto device_of = [&](const model::Volume& volume) -> const std::string& {
        return model::attachment_to(volume, instance.id).device;
    };
    const auto is_root = [&](const model::Volume& volume) {
        return model::same_device(device_of(volume), instance.root_device_name);
    };
    std::erase_if(volumes, [&](const model::Volume& volume) {
        const auto& excluded = input.exclude_data_volumes;
        return (input.exclude_boot_volume && is_root(volume)) ||
               std::find(excluded.begin(), excluded.end(), volume.id) != excluded.end();
    });
    if (volumes.empty()) {
        return errors::invalid_parameter_combination(
            "Every volume of the instance is excluded; there is nothing to snapshot.");
    }
    std::sort(volumes.begin(), volumes.end(), [&](const auto& a, const auto& b) {
        return std::pair(!is_root(a), device_of(a)) < std::pair(!is_root(b), device_of(b));
    });
    return volumes;
}

std::vector<model::VolumeId> ids_of(const std::vector<model::Volume>& volumes) {
    std::vector<model::VolumeId> ids;
    for (const model::Volume& volume : volumes) {
        ids.push_back(volume.id);
    }
    return ids;
}

// TAG-7: the volume's tags, and the request's, which win.
Result<std::vector<model::Tag>> tags_with_volume(catalog::Transaction& tx, const Caller& caller,
                                                 const model::VolumeId& volume,
                                                 std::vector<model::Tag> tags) {
    TRY_ASSIGN(const auto found, tx.tags().of(caller.account, {volume.str()}));
    const auto of_volume = found.find(volume.str());
    if (of_volume == found.end()) {
        return tags;
    }
    for (const model::Tag& tag : of_volume->second) {
        const bool given = std::any_of(tags.begin(), tags.end(),
                                       [&](const auto& own) { return own.key == tag.key; });
        if (!given) {
            tags.push_back(tag);
        }
    }
    if (tags.size() > kMaxTagsPerResource) {
        return Error::api(Code::resource_exhausted, "TagLimitExceeded",
                          fmt::format("The snapshot of '{}' would have more than {} tags.",
                                      volume.str(), kMaxTagsPerResource));
    }
    return tags;
}

// SNP-20. An image that others made of it is nobody else's business.
Error in_use(const Caller& caller, const model::SnapshotId& id, const model::Image& image) {
    return Error::api(
        Code::failed_precondition, "InvalidSnapshot.InUse",
        fmt::format("The snapshot {} is currently in use by {}", id.str(),
                    may_use(image, caller) ? image.id.str() : "an image of another account"));
}

}  // namespace

Status check_snapshot_request(const std::string& description,
                              const std::vector<TagSpecification>& tags) {
    if (character_count(description) > kMaxSnapshotDescription) {
        return errors::invalid_parameter_value(
            fmt::format("The description is longer than {} characters.", kMaxSnapshotDescription));
    }
    return check_tag_specifications(tags, {"snapshot"});
}

Status check_cuttable(catalog::Transaction& tx, const Parts& parts, const model::Volume& volume) {
    TRY(model::next(volume.state, model::VolumeEvent::snapshot, volume.id));
    const Quotas& quotas = parts.settings.quotas;
    TRY(check_pending_quota(tx, quotas, volume));
    // One that was deleted while it waited has left its layer.
    TRY_ASSIGN(const std::size_t layers, layers_to_destage(tx, volume.base_content));
    const std::size_t most = quotas.of(pending_quota(volume.type)).value_or(kMostBeyondChain);
    return layers < parts.settings.max_undestaged_layers + most ? ok() : Status(too_many_pending());
}

model::Snapshot draft_snapshot(const Parts& parts, const Caller& caller,
                               const model::Volume& volume, std::string description,
                               UnixMillis now) {
    model::Snapshot snapshot;
    snapshot.id = model::make_id<model::SnapshotId>(parts.rng);
    snapshot.owner_id = caller.account;
    snapshot.region = caller.region;
    snapshot.description = std::move(description);
    snapshot.volume_id = volume.id;
    snapshot.lineage = volume.lineage;
    snapshot.source_image = volume.source_image;
    snapshot.volume_size_gib = volume.size_gib;
    snapshot.encrypted = volume.encrypted;
    snapshot.kms_key_id = volume.kms_key_id;
    snapshot.created = now;
    return snapshot;
}

Result<std::optional<model::Image>> image_using(catalog::Transaction& tx,
                                                const model::SnapshotId& id) {
    catalog::ImageQuery users;
    users.uses_snapshot = id;
    users.states = {model::ImageState::pending, model::ImageState::available,
                    model::ImageState::invalid, model::ImageState::transient,
                    model::ImageState::error,   model::ImageState::disabled};
    users.page.limit = 1;
    TRY_ASSIGN(auto images, tx.images().list(users));
    return images.empty() ? std::nullopt : std::optional(std::move(images.front()));
}

Status erase_snapshot(catalog::Transaction& tx, const Parts& parts,
                      const model::Snapshot& snapshot) {
    TRY(tx.tags().erase_resource(snapshot.id.str()));
    TRY(tx.snapshots().erase(snapshot.id));
    return release_content(tx, parts, snapshot.content);
}

Result<std::vector<model::Snapshot>> Snapshots::draft(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const std::vector<model::Volume>& volumes,
                                                      const Draft& draft) {
    TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, volumes.size()));
    std::vector<model::Snapshot> snapshots;
    const UnixMillis now = parts_.clock.now();  // SNP-8: one start time
    for (const model::Volume& volume : volumes) {
        TRY(check_cuttable(tx, parts_, volume));
        model::Snapshot& snapshot =
            snapshots.emplace_back(draft_snapshot(parts_, caller, volume, draft.description, now));
        TRY_ASSIGN(snapshot.local_zone, local_zone_for(parts_.topology, volume, draft.place));
        std::vector<model::Tag> tags = draft.tags;
        if (draft.copy_volume_tags) {
            TRY_ASSIGN(tags, tags_with_volume(tx, caller, volume.id, std::move(tags)));
        }
        TRY(put_tags(tx, caller, "snapshot", snapshot.id.str(), tags));
    }
    return snapshots;
}

Result<std::vector<SnapshotView>> Snapshots::cut(const Caller& caller,
                                                 const std::vector<model::VolumeId>& volumes,
                                                 const Cuts::Begin& begin) {
    TRY_ASSIGN(auto snapshots, cuts_.cut(volumes, begin));
    return parts_.store.read(
        [&](catalog::Transaction& tx) { return load_views(tx, caller, snapshots); });
}

Result<SnapshotView> Snapshots::create(const Caller& caller, const CreateSnapshotInput& input) {
    TRY(check_snapshot_request(input.description, input.tags));
    TRY(parts_.store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::Volume volume, find_volume(tx, caller, input.volume_id));
        TRY(local_zone_for(parts_.topology, volume, input.place));
        TRY(check_cuttable(tx, parts_, volume));
        return check_snapshot_quota(tx, parts_.settings.quotas, caller, 1);
    }));
    TRY(check_space(parts_.space, SpaceFor::data, "a snapshot"));  // SPC-1
    if (input.dry_run) {
        return errors::dry_run();
    }
    const Draft draft{input.description, tags_for(input.tags, "snapshot"), false, input.place};
    TRY_ASSIGN(auto views,
               cut(caller, {input.volume_id},
                   [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
                       TRY_ASSIGN(const model::Volume volume,
                                  find_volume(tx, caller, input.volume_id));
                       return this->draft(tx, caller, {volume}, draft);
                   }));
    return std::move(views.front());
}

Result<std::vector<SnapshotView>> Snapshots::create_set(const Caller& caller,
                                                        const CreateSnapshotsInput& input) {
    TRY(check_snapshot_request(input.description, input.tags));
    using Found = Result<std::vector<model::Volume>>;
    TRY_ASSIGN(const auto found, parts_.store.read([&](catalog::Transaction& tx) -> Found {
        TRY_ASSIGN(auto volumes, volumes_of(tx, caller, input));
        TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, volumes.size()));
        return volumes;
    }));
    for (const model::Volume& volume : found) {
        TRY(local_zone_for(parts_.topology, volume, input.place));
    }
    TRY(check_space(parts_.space, SpaceFor::data, "snapshots"));  // SPC-1
    if (input.dry_run) {
        return errors::dry_run();
    }
    const Draft draft{input.description, tags_for(input.tags, "snapshot"), input.copy_volume_tags,
                      input.place};
    return cut(caller, ids_of(found),
               [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
                   TRY_ASSIGN(const auto volumes, volumes_of(tx, caller, input));
                   return this->draft(tx, caller, volumes, draft);
               });
}

Result<Page<SnapshotView>> Snapshots::describe(const Caller& caller,
                                               const DescribeSnapshotsInput& input) {
    TRY_ASSIGN(const auto search, SnapshotSearch::create(caller, input));
    return parts_.store.read([&](catalog::Transaction& tx) { return search.run(tx); });
}

Status Snapshots::remove(const Caller& caller, const model::SnapshotId& id, bool dry_run) {
    const Status removed = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto snapshot, find_own_snapshot(tx, caller, id));
        const model::SnapshotState before = snapshot.state;
        TRY_ASSIGN(snapshot.state, model::next(before, model::SnapshotEvent::remove, id));
        TRY_ASSIGN(const auto user, image_using(tx, id));  // SNP-20, RACE-3
        if (user) {
            return in_use(caller, id, *user);
        }
        if (dry_run) {
            return errors::dry_run();
        }
        if (before == model::SnapshotState::pending) {  // SNP-22: whoever cuts it finishes it
            TRY(tx.tags().erase_resource(id.str()));
            TRY(tx.snapshots().update(snapshot));
            TRY(tx.jobs().wake(id.str(), parts_.clock.now()));  // or uploads it
            return complete_waiting_sets(tx, parts_);
        }
        return erase_snapshot(tx, parts_, snapshot);
    });
    work_added_();
    return removed;
}

std::vector<Snapshots::Removal> Snapshots::remove_each(const Caller& caller,
                                                       const std::vector<model::SnapshotId>& ids) {
    std::vector<Removal> removals;
    for (const model::SnapshotId& id : ids) {
        const Status removed = remove(caller, id, false);
        std::string outcome = "success";
        if (!removed) {
            const std::string& code = removed.error().api_code();
            outcome = code == "InvalidSnapshot.InUse"      ? "skipped"
                      : code == "InvalidSnapshot.NotFound" ? "missing-permissions"
                      : code.empty()                       ? "internal-error"
                                                           : "client-error";
        }
        removals.push_back({id, std::move(outcome)});
    }
    return removals;
}

}  // namespace kiln::control
