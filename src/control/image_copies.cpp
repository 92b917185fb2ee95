// SPDX-License-Identifier: Apache-2.0
#include "control/image_copies.h"

#include <fmt/format.h>

#include <map>

#include "control/api_errors.h"
#include "control/idempotency.h"
#include "control/image_rules.h"
#include "control/images.h"
#include "control/public_parameters.h"
#include "control/quotas.h"
#include "control/snapshot_access.h"
#include "control/snapshot_copies.h"
#include "control/space.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

Status check(const CopyImageInput& input, const Topology& topology) {
    TRY(Images::check_name(input.name));
    TRY(check_image_description(input.description.value_or("")));
    TRY(check_tag_specifications(input.tags, {"image", "snapshot"}));
    TRY(check_source_region(topology, input.source_region));
    TRY(check_completion_minutes(input.completion_minutes,
                                 "SnapshotCopyCompletionDurationMinutes"));
    return ok();
}

// CP-2. What a service offers to everybody may be read by everybody.
Status check_storage(catalog::Transaction& tx, const Caller& caller, const model::Image& source) {
    if (source.owner_alias == kProviderAlias && source.launch_permissions.everybody) {
        return ok();
    }
    for (const model::BlockDeviceMapping& mapping : source.block_device_mappings) {
        if (!mapping.ebs || mapping.ebs->snapshot_id.empty()) {
            continue;
        }
        TRY_ASSIGN(const auto snapshot, tx.snapshots().get(mapping.ebs->snapshot_id));
        TRY_ASSIGN(const bool readable, may_read(tx, snapshot, caller.account));
        if (!readable) {
            return Error::api(Code::permission_denied, "InvalidRequest",
                              "You do not have permission to access the storage of this ami");
        }
    }
    return ok();
}

std::string default_description(const CopyImageInput& input, const model::Image& source) {
    const std::string text =
        fmt::format("[Copied {} from {}] {}", source.id.str(), input.source_region,
                    source.description.empty() ? source.name : source.description);
    return first_characters(text, kMaxImageDescription);
}

// CP-9: 1,795,262,459,000.
std::string with_thousands(std::int64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3; at -= 3) {
        text.insert(at - 3, 1, ',');
    }
    return text;
}

// CP-3, CP-4: what an image is, without what happened to it.
model::Image begin_copy(const model::Image& source, UnixMillis now) {
    model::Image copy = source;
    copy.launch_permissions = {};
    copy.state_reason.reset();
    copy.last_launched.reset();
    copy.deprecation_time.reset();
    copy.deregistration_protection = model::DeregistrationProtection::disabled;
    copy.cooldown_until.reset();
    copy.source_instance_id = {};
    copy.source_image_id = source.id;
    copy.source_image_region = source.region;
    copy.public_parameter.clear();
    copy.created = now;
    return copy;
}

// CP-4: those of the request win.
Result<std::vector<model::Tag>> image_tags(catalog::Transaction& tx, const Caller& caller,
                                           const CopyImageInput& input) {
    std::map<std::string, std::string> tags;
    if (input.copy_tags) {
        const std::string source = input.source_image_id.str();
        TRY_ASSIGN(const auto of_source, tx.tags().of(caller.account, {source}));
        if (const auto found = of_source.find(source); found != of_source.end()) {
            for (const model::Tag& tag : found->second) {
                if (!is_reserved_tag(tag.key)) {
                    tags[tag.key] = tag.value;
                }
            }
        }
    }
    for (const model::Tag& tag : tags_for(input.tags, "image")) {
        tags[tag.key] = tag.value;
    }
    std::vector<model::Tag> all;
    for (const auto& [key, value] : tags) {
        all.push_back({key, value});
    }
    TRY(check_tags(all));
    return all;
}

}  // namespace

Status copy_snapshots(catalog::Transaction& tx, model::Image& image, const CopyOf& copy_of) {
    std::map<model::SnapshotId, model::SnapshotId> copies;  // a mapping may name one twice
    for (model::BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (!mapping.ebs || mapping.ebs->snapshot_id.empty()) {
            continue;
        }
        model::SnapshotId& copy = copies[mapping.ebs->snapshot_id];
        if (copy.empty()) {
            TRY_ASSIGN(const auto source, tx.snapshots().get(mapping.ebs->snapshot_id));
            TRY_ASSIGN(const model::Snapshot made, copy_of(source));
            copy = made.id;
            TRY(tx.snapshots().insert(made));
        }
        mapping.ebs->snapshot_id = copy;
    }
    return ok();
}

Result<model::ImageId> ImageCopies::copy(const Caller& caller, const CopyImageInput& input) {
    TRY(check(input, parts_.topology));
    TRY(check_client_token(input.client_token, kLongClientToken));
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<model::ImageId> {
        const ClientToken token{"CopyImage", caller.region, input.client_token, input.request_hash};
        TRY_ASSIGN(const auto known, find_result(tx, caller, token));
        if (known) {
            if (input.dry_run) {
                return errors::dry_run();  // WIRE-8
            }
            return model::ImageId(*known);
        }
        TRY_ASSIGN(const model::ImageId id, copy(tx, caller, input));
        TRY(check_space(parts_.space, SpaceFor::data, "an image"));  // SPC-1
        if (input.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        TRY(remember_result(tx, caller, token, id.str(), parts_.clock.now()));
        return id;
    });
}

Result<model::ImageId> ImageCopies::copy(catalog::Transaction& tx, const Caller& caller,
                                         const CopyImageInput& input) {
    Caller there = caller;
    there.region = input.source_region;
    TRY_ASSIGN(const model::Image source,
               Images::find_launchable(tx, there, input.source_image_id));
    TRY(check_storage(tx, caller, source));
    TRY_ASSIGN(const Place from, place_of(tx, source));
    TRY_ASSIGN(const Place to, find_place(tx, parts_.topology, caller, input.place));
    TRY(check_direction(from, to));
    TRY(check_place_is_built(to));
    TRY(Images::check_name_is_free(tx, caller, input.name));
    TRY(check_image_quota(tx, parts_.settings.quotas, caller));
    const UnixMillis now = parts_.clock.now();
    model::Image copy = begin_copy(source, now);
    TRY_ASSIGN(const model::Account owner, tx.accounts().get(caller.account));
    copy.id = model::make_id<model::ImageId>(parts_.rng);
    copy.owner_id = caller.account;
    copy.owner_alias = owner.alias;
    copy.region = caller.region;
    copy.name = input.name;
    copy.location = image_location(owner, input.name);
    copy.description = input.description ? *input.description : default_description(input, source);
    const auto snapshot_tags = tags_for(input.tags, "snapshot");
    const auto copy_of = [&](const model::Snapshot& original) -> Result<model::Snapshot> {
        TRY(model::next(original.state, model::SnapshotEvent::read, original.id));
        TRY(check_snapshot_quota(tx, parts_.settings.quotas, caller, 1));
        model::Snapshot snapshot =
            begin_snapshot_copy(parts_, caller, original, input.completion_minutes);
        snapshot.local_zone = to.local_zone;
        snapshot.description = fmt::format(
            "Copied for DestinationAmi {} from SourceAmi {} for SourceSnapshot {}. Task created on "
            "{}.",
            copy.id.str(), source.id.str(), original.id.str(), with_thousands(now.value));
        snapshot.owner_alias = owner.alias;
        return snapshot;
    };
    TRY(copy_snapshots(tx, copy, copy_of));
    TRY(tx.images().insert(copy));
    for (const model::BlockDeviceMapping& mapping : copy.block_device_mappings) {
        if (mapping.ebs && !mapping.ebs->snapshot_id.empty()) {
            TRY(put_tags(tx, caller, "snapshot", mapping.ebs->snapshot_id.str(), snapshot_tags));
        }
    }
    TRY_ASSIGN(const auto tags, image_tags(tx, caller, input));
    TRY(put_tags(tx, caller, "image", copy.id.str(), tags));
    return copy.id;
}

}  // namespace kiln::control
