// SPDX-License-Identifier: Apache-2.0
#include "control/volume_access.h"

namespace kiln::control {

std::string VolumeAccess::socket_path(const model::VolumeId& id) const {
    return parts_.settings.runtime_directory + "/" + id.str() + ".sock";
}

std::string VolumeAccess::read_only_socket_path(const model::VolumeId& id) const {
    return parts_.settings.runtime_directory + "/" + id.str() + ".ro.sock";
}

Status VolumeAccess::open_stack(const model::Volume& volume, Deadline deadline) {
    const block::VolumeId id = block_id(volume.id);
    if (parts_.engine.is_open(id)) {
        return ok();
    }
    block::VolumeSpec spec;
    spec.id = id;
    spec.size_bytes = volume.size_gib * kGiB;
    spec.base = block_id(volume.base_content);
    spec.active = block_id(volume.active_layer);
    spec.create_active = true;
    TRY(parts_.engine.open_volume(spec, deadline), "open volume " + volume.id.str());
    exports_[volume.id] = {};
    return ok();
}

Status VolumeAccess::close_unless_exported(const model::VolumeId& id, Deadline deadline) {
    const auto entry = exports_.find(id);
    if (entry != exports_.end() && (entry->second.machine || entry->second.read_only)) {
        return ok();
    }
    exports_.erase(id);
    return parts_.engine.is_open(block_id(id)) ? parts_.engine.close_volume(block_id(id), deadline)
                                               : ok();
}

Status VolumeAccess::open(const model::Volume& volume, Deadline deadline) {
    MutexLock lock(mutex_);
    TRY(open_stack(volume, deadline));
    if (exports_[volume.id].machine) {
        return ok();
    }
    Status exported =
        parts_.engine.export_volume(block_id(volume.id), socket_path(volume.id), false, deadline);
    if (!exported) {
        const Status closed = close_unless_exported(volume.id, deadline);
        static_cast<void>(closed);  // the first error is the one to tell
        return std::move(exported).error().with("export volume " + volume.id.str());
    }
    exports_[volume.id].machine = true;
    return ok();
}

Status VolumeAccess::close(const model::VolumeId& id, Deadline deadline) {
    MutexLock lock(mutex_);
    const auto entry = exports_.find(id);
    if (entry != exports_.end() && entry->second.machine && entry->second.read_only) {
        TRY(parts_.engine.unexport_volume(block_id(id), socket_path(id), deadline));
        entry->second.machine = false;
        return ok();
    }
    if (entry != exports_.end()) {
        entry->second.machine = false;
    }
    return close_unless_exported(id, deadline);
}

Status VolumeAccess::close_all(const model::VolumeId& id, Deadline deadline) {
    MutexLock lock(mutex_);
    exports_.erase(id);
    return close_unless_exported(id, deadline);
}

Status VolumeAccess::open_read_only(const model::Volume& volume, Deadline deadline) {
    MutexLock lock(mutex_);
    TRY(open_stack(volume, deadline));
    if (exports_[volume.id].read_only) {
        return ok();
    }
    TRY(parts_.engine.export_volume(block_id(volume.id), read_only_socket_path(volume.id), true,
                                    deadline));
    exports_[volume.id].read_only = true;
    return ok();
}

Status VolumeAccess::close_read_only(const model::VolumeId& id, Deadline deadline) {
    MutexLock lock(mutex_);
    const auto entry = exports_.find(id);
    if (entry == exports_.end() || !entry->second.read_only) {
        return ok();
    }
    TRY(parts_.engine.unexport_volume(block_id(id), read_only_socket_path(id), deadline));
    entry->second.read_only = false;
    return close_unless_exported(id, deadline);
}

}  // namespace kiln::control
