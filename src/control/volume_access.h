// SPDX-License-Identifier: Apache-2.0
// VolumeAccess: opens volumes in the engine and gives each its sockets, and takes them away again.
// A volume has a read-write socket while a machine uses it, and a read-only one while somebody
// looks at it; it is open while it has either. All calls may be repeated; they end in the state
// asked for. Thread-safe, blocking: calls for one volume are serial.
#pragma once

#include <map>
#include <string>

#include "control/parts.h"
#include "model/volume.h"
#include "util/deadline.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::control {

class VolumeAccess {
  public:
    explicit VolumeAccess(const Parts& parts) : parts_(parts) {}

    std::string socket_path(const model::VolumeId& id) const;
    std::string read_only_socket_path(const model::VolumeId& id) const;

    // For a machine. Creates the active layer's files at the first time.
    Status open(const model::Volume& volume, Deadline deadline) EXCLUDES(mutex_);
    // The machine is off: ends its export. Whoever looks at the volume may go on.
    Status close(const model::VolumeId& id, Deadline deadline) EXCLUDES(mutex_);
    // Ends both exports: the volume is about to go.
    Status close_all(const model::VolumeId& id, Deadline deadline) EXCLUDES(mutex_);

    Status open_read_only(const model::Volume& volume, Deadline deadline) EXCLUDES(mutex_);
    Status close_read_only(const model::VolumeId& id, Deadline deadline) EXCLUDES(mutex_);

  private:
    struct Exports {
        bool machine = false;
        bool read_only = false;
    };
    Status open_stack(const model::Volume& volume, Deadline deadline) REQUIRES(mutex_);
    Status close_unless_exported(const model::VolumeId& id, Deadline deadline) REQUIRES(mutex_);

    const Parts parts_;
    // Held over the engine's calls: opening and closing one volume must not overlap, and both are
    // rare.
    Mutex mutex_;
    std::map<model::VolumeId, Exports> exports_ GUARDED_BY(mutex_);
};

}  // namespace kiln::control
