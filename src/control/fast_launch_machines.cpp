// SPDX-License-Identifier: Apache-2.0
// FastLaunches: what becomes of a machine that prepares a snapshot (FLN-3): launched, waited for,
// cut, and ended. The record says how far it is.
#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/fast_launches.h"
#include "control/instance_worker.h"
#include "control/instances.h"
#include "control/quotas.h"
#include "control/space.h"
#include "util/log.h"

namespace kiln::control {
namespace {

using model::FastLaunch;
using model::InstanceState;
using model::PreparingMachine;

// For so long a machine may prepare itself.
constexpr std::int64_t kPreparingMs = 3'600'000;
constexpr std::uint32_t kMaxCuts = 3;

PreparingMachine* find_machine(FastLaunch& launch, const std::string& token) {
    const auto found =
        std::find_if(launch.machines.begin(), launch.machines.end(),
                     [&](const PreparingMachine& machine) { return machine.token == token; });
    return found == launch.machines.end() ? nullptr : &*found;
}

void forget_machine(FastLaunch& launch, const std::string& token) {
    std::erase_if(launch.machines,
                  [&](const PreparingMachine& machine) { return machine.token == token; });
}

std::vector<model::Tag> tags_of(const FastLaunch& launch) {  // FLN-3
    std::vector<model::Tag> tags{{"CreatedBy", "EC2 Fast Launch"}};
    if (!launch.template_id.empty()) {
        tags.push_back({"CreatedByLaunchTemplateId", launch.template_id.str()});
        tags.push_back({"CreatedByLaunchTemplateName", launch.template_name});
        tags.push_back({"CreatedByLaunchTemplateVersion", launch.template_version});
    }
    return tags;
}

// What it was launched with is the service's own: it is protected by nothing and leaves nothing.
Status end_machine(catalog::Transaction& tx, const Parts& parts, const model::InstanceId& id) {
    TRY_ASSIGN(auto instance, tx.instances().find(id));
    if (!instance || instance->state == InstanceState::terminated ||
        instance->state == InstanceState::shutting_down) {
        return ok();
    }
    catalog::VolumeQuery attached;
    attached.attached_to = {id};
    TRY_ASSIGN(auto volumes, tx.volumes().list(attached));
    for (model::Volume& volume : volumes) {
        if (volume.created == instance->created) {  // not one that somebody attached since
            model::attachment_to(volume, id).delete_on_termination = true;
            TRY(tx.volumes().update(volume));
        }
    }
    instance->disable_api_termination = false;
    TRY_ASSIGN(instance->state, model::next(instance->state, model::InstanceEvent::terminate, id));
    return begin_end(tx, parts, *instance, EndReason::user, EndMode::at_once);
}

Result<std::optional<model::Volume>> root_of(catalog::Transaction& tx,
                                             const model::Instance& instance) {
    catalog::VolumeQuery attached;
    attached.attached_to = {instance.id};
    TRY_ASSIGN(auto volumes, tx.volumes().list(attached));
    for (model::Volume& volume : volumes) {
        if (model::same_device(model::attachment_to(volume, instance.id).device,
                               instance.root_device_name)) {
            return std::optional(std::move(volume));
        }
    }
    return std::optional<model::Volume>();
}

std::string end_of(const model::Instance& instance) {
    return instance.state_reason ? instance.state_reason->message
                                 : "Client.InstanceTerminated: The instance was terminated";
}

}  // namespace

Result<bool> FastLaunches::launch(const Seen& seen, const std::string& token) {
    PreparingLaunch what;
    what.image = seen.key.image;
    what.template_id = seen.launch.template_id;
    what.template_version = seen.launch.template_version;
    what.tags = tags_of(seen.launch);
    what.client_token = token;
    const auto launched = launcher()(seen.caller, what);
    if (launched) {
        TRY(change(seen.key, [&](catalog::Transaction&, FastLaunch& launch) {
            if (PreparingMachine* machine = find_machine(launch, token); machine != nullptr) {
                machine->instance_id = *launched;
            }
            return ok();
        }));
        return true;
    }
    const Error& error = launched.error();
    if (error.api_code().empty()) {
        return error;
    }
    bool room = true;
    TRY(change(seen.key, [&](catalog::Transaction&, FastLaunch& launch) {
        // FLN-5: what is enabled waits for room, and so does what has others at work meanwhile.
        room = error.code() != Code::resource_exhausted ||
               (launch.state != model::FastLaunchState::enabled && model::at_work(launch) <= 1);
        if (!room) {
            forget_machine(launch, token);
        }
        return ok();
    }));
    if (room) {
        TRY(fail(seen.key, failure_text(error)));
    }
    return false;
}

Status FastLaunches::advance(const Seen& seen, const PreparingMachine& machine) {
    if (machine.instance_id.empty()) {
        // The service ended between the two: the token tells whether it is launched.
        TRY(launch(seen, machine.token));
        return ok();
    }
    return machine.snapshot_id.empty() ? look_at_machine(seen, machine)
                                       : look_at_snapshot(seen, machine);
}

Status FastLaunches::look_at_machine(const Seen& seen, const PreparingMachine& machine) {
    TRY_ASSIGN(const auto instance, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.instances().find(machine.instance_id);
    }));
    if (!instance || instance->state == InstanceState::terminated ||
        instance->state == InstanceState::shutting_down) {
        return fail(seen.key, instance ? end_of(*instance) : end_of(model::Instance()));
    }
    if (instance->state != InstanceState::stopped) {
        if (parts_.clock.now().value - machine.begun.value < kPreparingMs) {
            return ok();
        }
        return fail(seen.key, fmt::format("Client.InstanceTimeout: The instance {} has not powered "
                                          "itself off within an hour",
                                          instance->id.str()));
    }
    const bool by_itself = instance->state_reason &&
                           instance->state_reason->code == "Client.InstanceInitiatedShutdown";
    return by_itself ? cut(seen, machine, *instance) : fail(seen.key, end_of(*instance));
}

Status FastLaunches::cut(const Seen& seen, const PreparingMachine& machine,
                         const model::Instance& instance) {
    TRY_ASSIGN(const auto root,
               parts_.store.read([&](catalog::Transaction& tx) { return root_of(tx, instance); }));
    if (!root || machine.cuts >= kMaxCuts) {
        return fail(seen.key, fmt::format("Server.InternalError: No snapshot could be made of the "
                                          "root volume of {}",
                                          instance.id.str()));
    }
    if (const Status space = check_space(parts_.space, SpaceFor::data, "a snapshot"); !space) {
        return fail(seen.key, failure_text(space.error()));  // SPC-1
    }
    const auto begin = [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
        TRY_ASSIGN(model::Image image, tx.images().get(seen.key.image));
        FastLaunch* launch = find_fast_launch(image, seen.key.account);
        PreparingMachine* own = launch == nullptr ? nullptr : find_machine(*launch, machine.token);
        if (own == nullptr || !model::prepares(launch->state) || !own->snapshot_id.empty()) {
            return Error(Code::conflict, "the snapshot is not wanted any more");
        }
        TRY(check_snapshot_quota(tx, parts_.settings.quotas, seen.caller, 1));
        TRY_ASSIGN(const model::Volume volume, tx.volumes().get(root->id));
        TRY(check_cuttable(tx, parts_, volume));
        model::Snapshot snapshot =
            draft_snapshot(parts_, seen.caller, volume,
                           fmt::format("Created by EnableFastLaunch({}) for {}", instance.id.str(),
                                       image.id.str()),
                           parts_.clock.now());
        TRY(put_tags(tx, seen.caller, "snapshot", snapshot.id.str(), tags_of(*launch)));
        own->snapshot_id = snapshot.id;
        ++own->cuts;
        TRY(tx.images().update(image));
        return std::vector<model::Snapshot>{std::move(snapshot)};
    };
    const auto made = cuts_.cut({root->id}, begin);
    if (made || made.error().code() == Code::conflict) {
        return ok();  // the next turn sees why
    }
    return made.error().api_code().empty() ? Status(made.error())
                                           : fail(seen.key, failure_text(made.error()));
}

Status FastLaunches::look_at_snapshot(const Seen& seen, const PreparingMachine& machine) {
    bool prepared = false;
    TRY(change(seen.key, [&](catalog::Transaction& tx, FastLaunch& launch) -> Status {
        prepared = false;
        PreparingMachine* own = find_machine(launch, machine.token);
        if (own == nullptr || own->given_up) {
            return ok();
        }
        TRY_ASSIGN(const auto snapshot, tx.snapshots().find(machine.snapshot_id));
        if (snapshot && snapshot->state == model::SnapshotState::pending) {
            return ok();
        }
        if (snapshot && snapshot->state == model::SnapshotState::completed) {
            launch.ready.push_back(snapshot->id);
            TRY(end_machine(tx, parts_, machine.instance_id));
            forget_machine(launch, machine.token);
            prepared = true;
            return ok();
        }
        // A cut that failed, was taken back, or was ended by a restart, or a snapshot that somebody
        // deleted: the volume is as it was.
        own->snapshot_id = {};
        return snapshot && snapshot->state == model::SnapshotState::error
                   ? erase_snapshot(tx, parts_, *snapshot)
                   : ok();
    }));
    if (prepared) {
        log_info("images", fmt::format("{} is prepared for {} by {}", machine.snapshot_id.str(),
                                       seen.key.text(), machine.instance_id.str()));
        work_added_();
    }
    return ok();
}

Status FastLaunches::drop_machine(const Seen& seen, const PreparingMachine& machine) {
    if (!machine.snapshot_id.empty()) {
        const Status removed = snapshots_.remove(seen.caller, machine.snapshot_id, false);
        if (!removed && removed.error().api_code().empty()) {
            return removed;  // else it is gone, or in use, and then it stays
        }
    }
    const Status dropped =
        change(seen.key, [&](catalog::Transaction& tx, FastLaunch& launch) -> Status {
            std::vector<model::InstanceId> ids{machine.instance_id};
            if (machine.instance_id.empty()) {  // launched all the same, just before a restart
                ids.clear();
                catalog::InstanceQuery query;
                query.owners = {seen.key.account};
                query.images = {seen.key.image};
                TRY_ASSIGN(const auto instances, tx.instances().list(query));
                for (const model::Instance& instance : instances) {
                    if (instance.client_token == machine.token) {
                        ids.push_back(instance.id);
                    }
                }
            }
            for (const model::InstanceId& id : ids) {
                TRY(end_machine(tx, parts_, id));
            }
            forget_machine(launch, machine.token);
            return ok();
        });
    work_added_();
    return dropped;
}

}  // namespace kiln::control
