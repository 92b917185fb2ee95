// SPDX-License-Identifier: Apache-2.0
// VolumeAccess: opens volumes in the engine and gives each its sockets, and takes them away again.
// A volume has a read-write socket for each machine that uses it (VOL-11: several), and a read-only
// one while somebody looks at it; it is open while it has any, or while it is being cut. What one
// machine wrote the next read of another sees: all of them are served by the one open volume. All
// calls may be repeated; they end in the state asked for.
//
// The catalog says what a volume is made of, and it is asked under the volume's hold, since a cut
// changes it. Files of an active layer are made only while the layer is `planned`; a layer below
// that an interrupted cut left unsealed is sealed before the volume opens.
//
// Thread-safe, blocking. Whoever works on a volume holds it: opening, closing and cutting one
// volume are serial, and different volumes do not wait for each other.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/parts.h"
#include "model/volume.h"
#include "util/deadline.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::control {

class VolumeAccess;

// BDM-15: the volume id without its hyphen, as the guest sees it in /sys/block/*/serial.
std::string disk_serial(const model::VolumeId& id);

// The right to open, close, cut or grow these volumes; given back at its end. One owner thread.
class VolumeHold {
  public:
    VolumeHold(VolumeHold&& other) noexcept
        : access_(std::exchange(other.access_, nullptr)), ids_(std::move(other.ids_)) {}
    VolumeHold& operator=(VolumeHold&&) = delete;
    ~VolumeHold();

  private:
    friend class VolumeAccess;
    VolumeHold(VolumeAccess& access, std::vector<model::VolumeId> ids)
        : access_(&access), ids_(std::move(ids)) {}
    VolumeAccess* access_;
    std::vector<model::VolumeId> ids_;
};

class VolumeAccess {
  public:
    // `closed` is called after a volume was closed: layers may have come free.
    using Closed = std::function<void(const model::VolumeId& id)>;
    VolumeAccess(const Parts& parts, Closed closed) : parts_(parts), closed_(std::move(closed)) {}

    // Of an attachment, by its place.
    std::string socket_path(const model::VolumeId& id, std::uint32_t place) const;
    std::string read_only_socket_path(const model::VolumeId& id) const;

    // For the machine of an instance that the volume is attached to.
    Status open(const model::VolumeId& id, const model::InstanceId& instance, Deadline deadline);
    // That machine is off, or has let the disk go: ends its export. Others, and whoever looks at
    // the volume, may go on.
    Status close(const model::VolumeId& id, const model::InstanceId& instance, Deadline deadline);
    // The volume is about to go: whoever looks at it may not go on. Nothing while a machine has it.
    Status close_for_good(const model::VolumeId& id, Deadline deadline);

    Status open_read_only(const model::VolumeId& id, Deadline deadline);
    Status close_read_only(const model::VolumeId& id, Deadline deadline);

    // Waits until nobody else holds one of them; all at once, so that two holds never wait for each
    // other.
    Result<VolumeHold> hold(std::vector<model::VolumeId> ids, Deadline deadline) EXCLUDES(mutex_);
    // For a cut, with the hold: open without a socket, and closed again unless it has one.
    Status open_held(const VolumeHold& hold, const model::VolumeId& id, Deadline deadline);
    Status close_held(const VolumeHold& hold, const model::VolumeId& id, Deadline deadline);

    // Makes an open or closed volume larger: room in its files, then `commit`, which gives its row
    // the new size, then those who have it open. May be repeated after an error at any point.
    Status grow(const model::VolumeId& id, std::uint64_t size_bytes,
                const std::function<Status()>& commit, Deadline deadline);

    // VOL-14: closes the volume, if it is open, and opens it anew with the exports it had, and for
    // the machines of these instances. Whoever is connected comes back by himself.
    Status reopen(const model::VolumeId& id, const std::vector<model::InstanceId>& instances,
                  Deadline deadline);
    // Volumes that could not be opened the last time because of their files, and why.
    std::map<model::VolumeId, Error> unreadable() EXCLUDES(mutex_);

    // VOL-16: an open volume gets the limits that its row says; nothing where they are not
    // enforced.
    Status limit(const model::VolumeId& id, Deadline deadline);

    std::set<model::VolumeId> open_volumes() EXCLUDES(mutex_);

  private:
    friend class VolumeHold;
    struct Exports {
        std::map<model::InstanceId, std::string> machines{};  // each with its socket
        bool read_only = false;
        bool any() const { return read_only || !machines.empty(); }
    };
    // What it takes to open a volume, as the catalog says now.
    struct Plan {
        block::VolumeSpec spec;
        std::vector<model::LayerRecord> unsealed;
    };
    void release(const std::vector<model::VolumeId>& ids) EXCLUDES(mutex_);
    Result<Plan> plan(const model::VolumeId& id);
    // By the attachment's place and the instance's kind of disks; gives the socket.
    Result<std::string> export_to_machine(const model::VolumeId& id,
                                          const model::InstanceId& instance, Deadline deadline);
    Status open_stack(const model::VolumeId& id, Deadline deadline);
    Status grow_open(const model::VolumeId& id, std::uint64_t size_bytes,
                     const std::function<Status()>& commit, Deadline deadline);
    Status open_planned(const model::VolumeId& id, Deadline deadline);
    Status export_as(const model::VolumeId& id, Exports wanted, Deadline deadline);
    // Of how an attempt to open it ended: whether it cannot be read. Why not is kept.
    bool note_opening(const model::VolumeId& id, const Status& opened) EXCLUDES(mutex_);
    Status seal(const model::LayerRecord& layer, Deadline deadline);
    Status close_unless_exported(const model::VolumeId& id, Deadline deadline);
    Exports exports(const model::VolumeId& id) EXCLUDES(mutex_);
    void note(const model::VolumeId& id, Exports exports) EXCLUDES(mutex_);

    const Parts parts_;
    const Closed closed_;
    Mutex mutex_;
    CondVar free_;
    std::set<model::VolumeId> held_ GUARDED_BY(mutex_);
    // Every open volume. An entry changes only under the volume's hold.
    std::map<model::VolumeId, Exports> exports_ GUARDED_BY(mutex_);
    std::map<model::VolumeId, Error> unreadable_ GUARDED_BY(mutex_);
};

}  // namespace kiln::control
