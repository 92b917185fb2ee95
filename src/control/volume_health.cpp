// SPDX-License-Identifier: Apache-2.0
#include "control/volume_health.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/api_errors.h"
#include "control/volumes.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2
constexpr std::chrono::seconds kAskTime{5};
constexpr std::chrono::seconds kOpenTime{60};
// Between two attempts to enable by itself: the first at once, then this, doubled up to that.
constexpr std::chrono::milliseconds kFirstPause{2'000};
constexpr std::chrono::milliseconds kLongestPause{300'000};

using model::VolumeFault;
using model::VolumeState;

bool has_io(VolumeFault fault) {
    return fault == VolumeFault::damaged;
}

catalog::Cursor cursor_of(const model::Volume& volume) {
    return {volume.created, volume.id.str()};
}

// Whose machines have, or are to have, the volume as a disk.
Result<std::vector<model::InstanceId>> served_instances(catalog::Transaction& tx,
                                                        const model::Volume& volume) {
    std::vector<model::InstanceId> served;
    for (const model::VolumeAttachment& attachment : volume.attachments) {
        TRY_ASSIGN(const auto instance, tx.instances().find(attachment.instance_id));
        if (instance && (instance->state == model::InstanceState::running ||
                         instance->state == model::InstanceState::stopping ||
                         instance->state == model::InstanceState::shutting_down)) {
            served.push_back(instance->id);
        }
    }
    return served;
}

}  // namespace

std::string describe_event(const model::VolumeEventNote& event) {
    switch (event.fault) {
        case VolumeFault::stopped:
            return "The volume was stopped because its device failed; what it had not made durable "
                   "may be lost.";
        case VolumeFault::unreadable:
            return "The volume could not be opened because its data is damaged or missing.";
        case VolumeFault::damaged:
            return "Data of the volume could not be read as it was written.";
    }
    return {};
}

std::vector<std::pair<std::string, std::string>> status_details(const VolumeStatusView& view) {
    const bool unknown = view.status == VolumeStatus::insufficient_data;
    return {{"io-enabled", unknown          ? "insufficient-data"
                           : view.io_failed ? "failed"
                                            : "passed"},
            {"io-performance", "not-applicable"}};
}

Result<std::set<model::InstanceId>> instances_with_stopped_volume(const Parts& parts,
                                                                  Deadline deadline) {
    std::vector<model::VolumeId> stopped;
    TRY_ASSIGN(const auto troubles, parts.engine.troubles(deadline));
    for (const block::VolumeTrouble& trouble : troubles) {
        if (trouble.stopped) {
            stopped.emplace_back(trouble.volume.str());
        }
    }
    if (stopped.empty()) {
        return std::set<model::InstanceId>();
    }
    return parts.store.read([&](catalog::Transaction& tx) -> Result<std::set<model::InstanceId>> {
        std::set<model::InstanceId> instances;
        for (const model::VolumeId& id : stopped) {
            TRY_ASSIGN(const auto volume, tx.volumes().find(id));  // none: read for another reason
            if (!volume) {
                continue;
            }
            for (const model::VolumeAttachment& attachment : volume->attachments) {
                instances.insert(attachment.instance_id);
            }
        }
        return instances;
    });
}

Result<VolumeHealth::Faults> VolumeHealth::faults() {
    Faults all;
    for (const auto& [id, error] : access_.unreadable()) {
        all[id] = VolumeFault::unreadable;
    }
    TRY_ASSIGN(const auto troubles, parts_.engine.troubles(Deadline::after(kAskTime)));
    for (const block::VolumeTrouble& trouble : troubles) {
        all[model::VolumeId(trouble.volume.str())] =
            trouble.stopped ? VolumeFault::stopped : VolumeFault::damaged;
    }
    return all;
}

Result<bool> VolumeHealth::note(const model::VolumeId& id, VolumeFault fault) {
    bool first = false;
    TRY_ASSIGN(const auto volume,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.volumes().find(id); }));
    if (!volume) {
        return false;
    }
    const bool known = volume->event && (volume->event->fault == fault || has_io(fault));
    if (!known) {
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(auto row, tx.volumes().find(id));
            if (!row) {
                return ok();
            }
            first = !row->event;
            if (first) {
                row->event = model::VolumeEventNote{
                    model::make_id<model::VolumeEventId>(parts_.rng), fault,
                    row->attachments.empty() ? model::InstanceId()
                                             : row->attachments.front().instance_id,
                    parts_.clock.now()};
            }
            row->event->fault = fault;
            return tx.volumes().update(*row);
        }));
    }
    if (first) {
        log_error("volumes", fmt::format("{} is impaired: {}; EnableVolumeIO opens it anew",
                                         id.str(), model::to_string(fault)));
    }
    return volume->auto_enable_io && fault == VolumeFault::stopped;
}

bool VolumeHealth::may_retry(const model::VolumeId& id) {
    MutexLock lock(mutex_);
    Retry& retry = retries_[id];
    if (Clock::now() < retry.next) {
        return false;
    }
    retry.pause = std::clamp(retry.pause * 2, kFirstPause, kLongestPause);
    retry.next = Clock::now() + retry.pause;
    return true;
}

void VolumeHealth::note_all(const Faults& faults) {
    for (const auto& [id, fault] : faults) {
        const auto by_itself = note(id, fault);
        if (!by_itself) {
            log_error("volumes", fmt::format("what is wrong with {} was not noted: {}", id.str(),
                                             by_itself.error().to_string()));
            continue;
        }
        if (!*by_itself || !may_retry(id)) {
            continue;
        }
        if (const Status opened = reopen(id); !opened) {
            log_error("volumes",
                      fmt::format("{} stays stopped: {}", id.str(), opened.error().to_string()));
        } else {
            log_warn("volumes", fmt::format("{} was opened anew by itself", id.str()));
        }
    }
}

void VolumeHealth::look() {
    const auto now = faults();
    if (!now) {
        log_warn("volumes",
                 "the engine does not say how its volumes are: " + now.error().to_string());
        return;
    }
    note_all(*now);
}

Status VolumeHealth::reopen(const model::VolumeId& id) {
    TRY_ASSIGN(
        const auto instances,
        parts_.store.read([&](catalog::Transaction& tx) -> Result<std::vector<model::InstanceId>> {
            TRY_ASSIGN(const model::Volume volume, tx.volumes().get(id));
            return served_instances(tx, volume);
        }));
    TRY(access_.reopen(id, instances, Deadline::after(kOpenTime)));
    Status resumed = ok();
    for (const model::InstanceId& instance : instances) {
        // Its machine stopped when the disk refused a request, which it asks again when it goes on.
        const auto info = parts_.hypervisor.query(machine_id(instance), Deadline::after(kAskTime));
        if (info && info->state == compute::MachineState::io_error) {
            Status one = parts_.hypervisor.resume(machine_id(instance), Deadline::after(kAskTime));
            resumed = resumed ? std::move(one) : std::move(resumed);
        }
    }
    return resumed;
}

Status VolumeHealth::enable_io(const Caller& caller, const model::VolumeId& id, bool dry_run) {
    const auto find = [&](catalog::Transaction& tx) { return find_volume(tx, caller, id); };
    TRY(parts_.store.read(find));
    if (dry_run) {
        return errors::dry_run();
    }
    look();
    TRY_ASSIGN(const model::Volume volume, parts_.store.read(find));
    if (!volume.event) {
        return ok();
    }
    if (const Status opened = reopen(id); !opened) {
        log_error("volumes",
                  fmt::format("{} cannot be enabled: {}", id.str(), opened.error().to_string()));
        return Error::api(Code::failed_precondition, "IncorrectState",
                          fmt::format("The I/O of volume '{}' cannot be enabled: it cannot be "
                                      "opened.",
                                      id.str()));
    }
    log_info("volumes", fmt::format("{} is enabled again", id.str()));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto row, tx.volumes().find(id));
        // What was found since is another event.
        if (row && row->event && row->event->id == volume.event->id) {
            row->event.reset();
            return tx.volumes().update(*row);
        }
        return ok();
    });
}

Result<model::Volume> VolumeHealth::attributes(const Caller& caller, const model::VolumeId& id,
                                               bool dry_run) {
    TRY_ASSIGN(auto volume, parts_.store.read([&](catalog::Transaction& tx) {
        return find_volume(tx, caller, id);
    }));
    if (dry_run) {
        return errors::dry_run();
    }
    return volume;
}

Status VolumeHealth::set_auto_enable_io(const Caller& caller, const model::VolumeId& id,
                                        bool enable, bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Volume volume, find_volume(tx, caller, id));
        if (dry_run) {
            return errors::dry_run();
        }
        volume.auto_enable_io = enable;
        return tx.volumes().update(volume);
    });
}

Result<Page<VolumeStatusView>> VolumeHealth::describe(const Caller& caller,
                                                      const DescribeVolumeStatusInput& input) {
    TRY(volume_status_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter volumeSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    auto now = faults();
    if (now && !now->empty()) {
        note_all(*now);
        now = faults();  // some may have been opened anew
    }
    const auto open = access_.open_volumes();
    const auto fault_of = [&](const model::VolumeId& id) -> std::optional<VolumeFault> {
        const bool known = now && now->contains(id);
        return known ? std::optional(now->at(id)) : std::nullopt;
    };
    const auto status_of = [&](const model::Volume& volume) {
        if ((volume.state != VolumeState::available && volume.state != VolumeState::in_use) ||
            (!now && open.contains(volume.id))) {
            return VolumeStatus::insufficient_data;
        }
        if (!volume.event) {
            return VolumeStatus::passed;
        }
        return has_io(volume.event->fault) || fault_of(volume.id) ? VolumeStatus::impaired
                                                                  : VolumeStatus::warning;
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<VolumeStatusView>> {
        const auto shown =
            [&](std::vector<model::Volume> volumes) -> Result<std::vector<VolumeStatusView>> {
            std::vector<std::string> ids;
            for (const model::Volume& volume : volumes) {
                ids.push_back(volume.id.str());
            }
            TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
            std::vector<VolumeStatusView> views;
            for (model::Volume& volume : volumes) {
                VolumeStatusView view;
                view.status = status_of(volume);
                const auto fault = fault_of(volume.id);
                view.io_failed = fault && !has_io(*fault);
                view.tags = tags[volume.id.str()];
                view.zone_id = parts_.topology.zone_id(volume.region, volume.availability_zone);
                view.volume = std::move(volume);
                if (volume_status_filters().matches(input.filters, view)) {
                    views.push_back(std::move(view));
                }
            }
            return views;
        };
        std::vector<VolumeStatusView> views;
        if (input.ids.empty()) {
            TRY_ASSIGN(views,
                       read_page<VolumeStatusView>(
                           start, !input.filters.empty(),
                           [&](const PageStart& piece) { return own_volumes(tx, caller, piece); },
                           cursor_of, shown));
        } else {
            TRY_ASSIGN(auto volumes, find_volumes(tx, caller, input.ids));
            TRY_ASSIGN(views, shown(std::move(volumes)));
        }
        return cut_page(caller, input.page, start, std::move(views),
                        [](const VolumeStatusView& view) { return cursor_of(view.volume); });
    });
}

}  // namespace kiln::control
