// SPDX-License-Identifier: Apache-2.0
#include "control/volume_access.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/contents.h"
#include "control/volume_limits.h"
#include "util/log.h"

namespace kiln::control {

std::string disk_serial(const model::VolumeId& id) {
    std::string serial = id.str();
    std::erase(serial, '-');
    return serial;
}

VolumeHold::~VolumeHold() {
    if (access_ != nullptr) {
        access_->release(ids_);
    }
}

std::string VolumeAccess::socket_path(const model::VolumeId& id, std::uint32_t place) const {
    return fmt::format("{}/{}{}.sock", parts_.settings.runtime_directory, id.str(),
                       place == 0 ? "" : fmt::format(".{}", place));
}

std::string VolumeAccess::read_only_socket_path(const model::VolumeId& id) const {
    return parts_.settings.runtime_directory + "/" + id.str() + ".ro.sock";
}

Result<VolumeHold> VolumeAccess::hold(std::vector<model::VolumeId> ids, Deadline deadline) {
    MutexLock lock(mutex_);
    const auto busy = [&](const model::VolumeId& id)
                          REQUIRES(mutex_) { return held_.contains(id); };
    while (std::any_of(ids.begin(), ids.end(), busy)) {
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, "the volume is busy");
        }
        free_.wait_until(lock, Deadline::clock::now() + deadline.left());
    }
    held_.insert(ids.begin(), ids.end());
    return VolumeHold(*this, std::move(ids));
}

void VolumeAccess::release(const std::vector<model::VolumeId>& ids) {
    {
        MutexLock lock(mutex_);
        for (const model::VolumeId& id : ids) {
            held_.erase(id);
        }
    }
    free_.notify_all();
}

VolumeAccess::Exports VolumeAccess::exports(const model::VolumeId& id) {
    MutexLock lock(mutex_);
    const auto entry = exports_.find(id);
    return entry == exports_.end() ? Exports{} : entry->second;
}

void VolumeAccess::note(const model::VolumeId& id, Exports exports) {
    MutexLock lock(mutex_);
    exports_[id] = std::move(exports);
}

std::set<model::VolumeId> VolumeAccess::open_volumes() {
    MutexLock lock(mutex_);
    std::set<model::VolumeId> ids;
    for (const auto& [id, exports] : exports_) {
        ids.insert(id);
    }
    return ids;
}

Result<VolumeAccess::Plan> VolumeAccess::plan(const model::VolumeId& id) {
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Plan> {
        TRY_ASSIGN(const model::Volume volume, tx.volumes().get(id));
        TRY_ASSIGN(const model::LayerRecord active, tx.layers().get(volume.active_layer));
        Plan plan;
        plan.spec.id = block_id(id);
        plan.spec.size_bytes = volume.size_gib * kGiB;
        plan.spec.base = block_id(volume.base_content);
        plan.spec.active = block_id(volume.active_layer);
        plan.spec.create_active = active.state == model::LayerState::planned;
        TRY_ASSIGN(const auto chain, content_chain(tx, volume.base_content));
        for (const model::Content& content : chain) {
            if (content.layer.empty()) {
                continue;
            }
            TRY_ASSIGN(model::LayerRecord layer, tx.layers().get(content.layer));
            if (layer.state == model::LayerState::open) {
                plan.unsealed.push_back(std::move(layer));
            }
        }
        return plan;
    });
}

Status VolumeAccess::seal(const model::LayerRecord& layer, Deadline deadline) {
    TRY(parts_.engine.seal_layer(block_id(layer.id), layer.size_bytes, deadline),
        "seal layer " + layer.id.str());
    return parts_.store.run(
        [&](catalog::Transaction& tx) { return mark_sealed(tx, parts_, layer.id); });
}

Status VolumeAccess::open_planned(const model::VolumeId& id, Deadline deadline) {
    TRY_ASSIGN(const Plan plan, plan(id));
    for (const model::LayerRecord& layer : plan.unsealed) {
        TRY(seal(layer, deadline));
    }
    TRY(parts_.engine.open_volume(plan.spec, deadline));
    Status noted = limit(id, deadline);
    if (noted && plan.spec.create_active) {
        // Before anybody can write to it: from now on these files may not be missing.
        noted = parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(model::LayerRecord layer,
                       tx.layers().get(model::LayerId(plan.spec.active.str())));
            layer.state = model::LayerState::open;
            return tx.layers().update(layer);
        });
    }
    if (!noted) {
        const Status closed = parts_.engine.close_volume(plan.spec.id, deadline);
        static_cast<void>(closed);  // the first error is the one to tell
    }
    return noted;
}

Status VolumeAccess::open_stack(const model::VolumeId& id, Deadline deadline) {
    if (parts_.engine.is_open(block_id(id))) {
        return ok();
    }
    Status opened = open_planned(id, deadline);
    // A layer may have been taken out of the catalog and dropped between the engine's question and
    // its opening the file. Then the second answer does not name it any more.
    if (!opened &&
        (opened.error().code() == Code::not_found || opened.error().code() == Code::data_loss)) {
        log_warn("volumes", "opening " + id.str() + " once more: " + opened.error().to_string());
        opened = open_planned(id, deadline);
    }
    if (note_opening(id, opened)) {
        log_error("volumes", "open " + id.str() + ": " + opened.error().to_string());
        return Error::api(
            opened.error().code(), "IncorrectState",
            fmt::format("The volume '{}' is impaired: it cannot be opened.", id.str()));
    }
    if (!opened) {
        return std::move(opened).error().with("open volume " + id.str());
    }
    note(id, {});
    return ok();
}

bool VolumeAccess::note_opening(const model::VolumeId& id, const Status& opened) {
    MutexLock lock(mutex_);
    if (opened) {
        unreadable_.erase(id);
        return false;
    }
    switch (opened.error().code()) {
        case Code::data_loss:
        case Code::io_error:
        case Code::not_found:  // of a file that must be there
            unreadable_.insert_or_assign(id, opened.error());
            return true;
        default:  // no space, no time: says nothing about the bytes
            return false;
    }
}

std::map<model::VolumeId, Error> VolumeAccess::unreadable() {
    MutexLock lock(mutex_);
    return unreadable_;
}

Status VolumeAccess::close_unless_exported(const model::VolumeId& id, Deadline deadline) {
    if (exports(id).any()) {
        return ok();
    }
    {
        MutexLock lock(mutex_);
        exports_.erase(id);
    }
    if (!parts_.engine.is_open(block_id(id))) {
        return ok();
    }
    Status closed = parts_.engine.close_volume(block_id(id), deadline);
    closed_(id);
    return closed;
}

Result<std::string> VolumeAccess::export_to_machine(const model::VolumeId& id,
                                                    const model::InstanceId& instance,
                                                    Deadline deadline) {
    struct Disk {
        std::uint32_t place = 0;
        model::DiskTransport transport = model::DiskTransport::nbd;
    };
    TRY_ASSIGN(const Disk disk, parts_.store.read([&](catalog::Transaction& tx) -> Result<Disk> {
        TRY_ASSIGN(const model::Volume volume, tx.volumes().get(id));
        TRY_ASSIGN(const model::Instance row, tx.instances().get(instance));
        const model::VolumeAttachment* attachment = model::find_attachment(volume, instance);
        if (attachment == nullptr) {
            return Error(Code::not_found,
                         "volume " + id.str() + " is not attached to " + instance.str());
        }
        return Disk{attachment->place, row.disk_transport};
    }));
    const std::string path = socket_path(id, disk.place);
    switch (disk.transport) {
        case model::DiskTransport::nbd:
            TRY(parts_.engine.export_volume(block_id(id), path, false, deadline));
            return path;
        case model::DiskTransport::vhost_user:
            TRY(parts_.engine.export_vhost_user(block_id(id), path, disk_serial(id), false,
                                                deadline));
            return path;
    }
    return Error(Code::internal, "unknown disk transport");
}

Status VolumeAccess::open(const model::VolumeId& id, const model::InstanceId& instance,
                          Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    TRY(open_stack(id, deadline));
    Exports now = exports(id);
    if (now.machines.contains(instance)) {
        return ok();
    }
    auto exported = export_to_machine(id, instance, deadline);
    if (!exported) {
        const Status closed = close_unless_exported(id, deadline);
        static_cast<void>(closed);  // the first error is the one to tell
        return std::move(exported).error().with("export volume " + id.str());
    }
    now.machines.emplace(instance, *std::move(exported));
    note(id, std::move(now));
    return ok();
}

Status VolumeAccess::close(const model::VolumeId& id, const model::InstanceId& instance,
                           Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    Exports now = exports(id);
    if (const auto machine = now.machines.extract(instance)) {
        if (now.any()) {
            TRY(parts_.engine.unexport_volume(block_id(id), machine.mapped(), deadline));
        }
        note(id, std::move(now));
    }
    return close_unless_exported(id, deadline);
}

Status VolumeAccess::close_for_good(const model::VolumeId& id, Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    if (!exports(id).machines.empty()) {
        return ok();
    }
    note(id, {});
    {
        MutexLock lock(mutex_);
        unreadable_.erase(id);
    }
    return close_unless_exported(id, deadline);
}

Status VolumeAccess::open_read_only(const model::VolumeId& id, Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    TRY(open_stack(id, deadline));
    Exports now = exports(id);
    if (now.read_only) {
        return ok();
    }
    Status exported =
        parts_.engine.export_volume(block_id(id), read_only_socket_path(id), true, deadline);
    if (!exported) {
        const Status closed = close_unless_exported(id, deadline);
        static_cast<void>(closed);  // the first error is the one to tell
        return exported;
    }
    now.read_only = true;
    note(id, std::move(now));
    return ok();
}

Status VolumeAccess::close_read_only(const model::VolumeId& id, Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    Exports now = exports(id);
    if (!now.read_only) {
        return ok();
    }
    TRY(parts_.engine.unexport_volume(block_id(id), read_only_socket_path(id), deadline));
    now.read_only = false;
    note(id, std::move(now));
    return close_unless_exported(id, deadline);
}

Status VolumeAccess::export_as(const model::VolumeId& id, Exports wanted, Deadline deadline) {
    for (auto& [instance, socket] : wanted.machines) {
        TRY_ASSIGN(socket, export_to_machine(id, instance, deadline), "export volume " + id.str());
    }
    if (wanted.read_only) {
        TRY(parts_.engine.export_volume(block_id(id), read_only_socket_path(id), true, deadline));
    }
    note(id, std::move(wanted));
    return ok();
}

Status VolumeAccess::reopen(const model::VolumeId& id,
                            const std::vector<model::InstanceId>& instances, Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    Exports wanted = exports(id);
    for (const model::InstanceId& instance : instances) {
        wanted.machines.try_emplace(instance);
    }
    if (parts_.engine.is_open(block_id(id))) {
        if (const Status closed = parts_.engine.close_volume(block_id(id), deadline); !closed) {
            // That is why it is opened anew; it is closed all the same.
            log_warn("volumes", "closing " + id.str() + ": " + closed.error().to_string());
        }
    }
    {
        MutexLock lock(mutex_);
        exports_.erase(id);
    }
    TRY(open_stack(id, deadline));
    Status exported = export_as(id, std::move(wanted), deadline);
    const Status closed = close_unless_exported(id, deadline);
    return exported ? closed : exported;
}

Status VolumeAccess::limit(const model::VolumeId& id, Deadline deadline) {
    if (!parts_.settings.enforce_volume_limits || !parts_.engine.is_open(block_id(id))) {
        return ok();
    }
    TRY_ASSIGN(const model::Volume volume,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.volumes().get(id); }));
    return parts_.engine.limit_volume(block_id(id), limits_of(model::shape_of(volume)), deadline);
}

Status VolumeAccess::grow(const model::VolumeId& id, std::uint64_t size_bytes,
                          const std::function<Status()>& commit, Deadline deadline) {
    TRY_ASSIGN(const VolumeHold held, hold({id}, deadline));
    TRY(open_stack(id, deadline));
    Status grown = grow_open(id, size_bytes, commit, deadline);
    Status closed = close_unless_exported(id, deadline);
    return grown ? std::move(closed) : std::move(grown);
}

Status VolumeAccess::grow_open(const model::VolumeId& id, std::uint64_t size_bytes,
                               const std::function<Status()>& commit, Deadline deadline) {
    TRY(parts_.engine.prepare_growth(block_id(id), size_bytes, deadline));
    TRY(commit());
    return parts_.engine.grow_volume(block_id(id), size_bytes, deadline);
}

Status VolumeAccess::open_held(const VolumeHold& hold, const model::VolumeId& id,
                               Deadline deadline) {
    INVARIANT(std::find(hold.ids_.begin(), hold.ids_.end(), id) != hold.ids_.end());
    return open_stack(id, deadline);
}

Status VolumeAccess::close_held(const VolumeHold& hold, const model::VolumeId& id,
                                Deadline deadline) {
    INVARIANT(std::find(hold.ids_.begin(), hold.ids_.end(), id) != hold.ids_.end());
    return close_unless_exported(id, deadline);
}

}  // namespace kiln::control
