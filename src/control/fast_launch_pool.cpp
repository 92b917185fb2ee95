// SPDX-License-Identifier: Apache-2.0
#include "control/fast_launch_pool.h"

#include <algorithm>

#include "control/image_rules.h"
#include "control/snapshots.h"

namespace kiln::control {
namespace {

constexpr char kLost[] = "Client.ImageUnavailable: The account may not launch the image any more";

// The snapshot that the image boots from; empty: none.
model::SnapshotId root_snapshot(const model::Image& image) {
    for (const model::BlockDeviceMapping& mapping : image.block_device_mappings) {
        if (mapping.ebs && model::same_device(mapping.device_name, image.root_device_name)) {
            return mapping.ebs->snapshot_id;
        }
    }
    return {};
}

// The first that is still there and fits; it and those that are gone leave the list.
Result<std::optional<model::Snapshot>> take_from(catalog::Transaction& tx,
                                                 model::FastLaunch& launch, const std::string& zone,
                                                 const VolumePlan& root) {
    for (auto id = launch.ready.begin(); id != launch.ready.end();) {
        TRY_ASSIGN(auto snapshot, tx.snapshots().find(*id));
        if (!snapshot || snapshot->state != model::SnapshotState::completed) {
            id = launch.ready.erase(id);
            continue;
        }
        const bool fits = snapshot->volume_size_gib <= *root.ebs.volume_size_gib &&
                          (snapshot->local_zone.empty() || snapshot->local_zone == zone);
        if (fits) {
            launch.ready.erase(id);
            return snapshot;
        }
        ++id;
    }
    return std::optional<model::Snapshot>();
}

}  // namespace

FastLaunchKey FastLaunchKey::parse(const std::string& text) {
    const auto slash = std::min(text.find('/'), text.size());
    return {model::ImageId(text.substr(0, slash)),
            model::AccountId(text.substr(std::min(slash + 1, text.size())))};
}

model::FastLaunch* find_fast_launch(model::Image& image, const model::AccountId& account) {
    auto& all = image.fast_launches;
    const auto found = std::find_if(all.begin(), all.end(), [&](const model::FastLaunch& launch) {
        return launch.account == account;
    });
    return found == all.end() ? nullptr : &*found;
}

void set_state(model::FastLaunch& launch, model::FastLaunchState state, std::string reason,
               UnixMillis now) {
    launch.state = state;
    launch.reason = std::move(reason);
    launch.changed = now;
}

Result<Caller> account_caller(catalog::Transaction& tx, const model::AccountId& account,
                              const std::string& region) {
    Caller caller;
    caller.account = account;
    caller.region = region;
    TRY_ASSIGN(const auto row, tx.accounts().find(account));
    if (row && row->membership) {
        caller.organizations = model::arns_of(*row->membership);
    }
    return caller;
}

Result<std::optional<model::Snapshot>> take_prepared(catalog::Transaction& tx, const Parts& parts,
                                                     const Caller& caller, model::Image& image,
                                                     const std::string& zone, VolumePlan& root) {
    std::optional<model::Snapshot> taken;
    if (image.fast_launches.empty() || root.ebs.snapshot_id.empty() ||
        !model::same_device(root.device, image.root_device_name) ||
        root.ebs.snapshot_id != root_snapshot(image)) {
        return taken;
    }
    for (const model::AccountId& account : {caller.account, image.owner_id}) {
        model::FastLaunch* launch = find_fast_launch(image, account);
        if (taken || launch == nullptr || model::ends(launch->state)) {
            continue;
        }
        TRY_ASSIGN(taken, take_from(tx, *launch, zone, root));
        if (taken) {
            TRY(tx.jobs().wake(FastLaunchKey{image.id, account}.text(), parts.clock.now()));
        }
    }
    if (taken) {
        root.base = taken->content;
        root.fast_restores = false;  // FS-2: it is not made of that snapshot
    }
    return taken;
}

Status drop_prepared(catalog::Transaction& tx, const Parts& parts,
                     const model::Snapshot& snapshot) {
    TRY_ASSIGN(const auto user, image_using(tx, snapshot.id));
    return user ? ok() : erase_snapshot(tx, parts, snapshot);
}

Status end_lost_fast_launches(catalog::Transaction& tx, model::Image& image, UnixMillis now) {
    const bool launchable =
        model::next(image.state, model::ImageEvent::launch, image.id).has_value();
    for (model::FastLaunch& launch : image.fast_launches) {
        TRY_ASSIGN(const Caller caller, account_caller(tx, launch.account, image.region));
        if (model::ends(launch.state) || (launchable && may_use(image, caller))) {
            continue;
        }
        set_state(launch, model::FastLaunchState::disabling, kLost, now);
        launch.force = true;  // nobody is there to ask again
        TRY(tx.jobs().wake(FastLaunchKey{image.id, launch.account}.text(), now));
    }
    return ok();
}

}  // namespace kiln::control
