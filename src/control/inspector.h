// SPDX-License-Identifier: Apache-2.0
// Inspector: what an administrator sees behind the EC2 API: where things lie, which machine runs an
// instance, and the bytes of a volume through a read-only socket. Thread-safe, blocking.
#pragma once

#include <string>

#include "control/caller.h"
#include "control/contents.h"
#include "control/disk_inspections.h"
#include "control/instance_worker.h"
#include "control/parts.h"
#include "control/snapshot_usage.h"
#include "control/space_watch.h"
#include "control/volume_access.h"
#include "model/snapshot.h"

namespace kiln::control {

// The contents that a volume or snapshot is made of, the newest first.
using ContentChain = std::vector<model::Content>;

// What is on a disk, or why that is not known.
struct InspectedDisk {
    std::shared_ptr<const disks::Inspection> seen;
    std::string why_not;
};

struct InspectedSnapshot {
    model::Snapshot snapshot;
    ContentChain contents;
    InspectedDisk disk;
    std::optional<SnapshotUsage> usage{};
    std::string usage_unknown{};  // why, if it is not counted
};

struct InspectedImage {
    model::Image image;
    std::optional<model::SnapshotId> root_snapshot;
    InspectedDisk disk;
    std::vector<std::string> warnings;  // DSK-3: why it may not boot
};

struct InspectedAttachment {
    model::VolumeAttachment attachment;
    // How the machine gets the volume, and over which unix socket, while it is open.
    model::DiskTransport transport = model::DiskTransport::nbd;
    std::string socket;
};

struct InspectedVolume {
    model::Volume volume;
    ContentChain contents;
    bool open = false;
    std::vector<InspectedAttachment> attachments;  // first that to the instance asked about
};

struct InspectedInstance {
    model::Instance instance;
    compute::MachineInfo machine;                        // state `gone` when there is none
    std::string machine_silent;                          // why it did not answer, if it did not
    std::optional<compute::GuestNetworkStatus> network;  // while it runs
    std::optional<SpaceWait> waits_for_space;
    std::string serial_log;
    std::vector<InspectedVolume> volumes;
};

class Inspector {
  public:
    Inspector(const Parts& parts, VolumeAccess& access, InstanceNetworks& networks,
              const InstanceWorker& worker, SpaceWatch& space, DiskInspections& disks)
        : parts_(parts),
          access_(access),
          networks_(networks),
          worker_(worker),
          space_(space),
          disks_(disks) {}

    Result<InspectedInstance> instance(const Caller& caller, const model::InstanceId& id);
    Result<InspectedVolume> volume(const Caller& caller, const model::VolumeId& id);
    Result<InspectedSnapshot> snapshot(const Caller& caller, const model::SnapshotId& id);
    // One the caller may use; of its disk what the caller may read.
    Result<InspectedImage> image(const Caller& caller, const model::ImageId& id);
    // Where a TCP port of a running instance is reached on this host.
    Result<compute::PortForward> forward_of(const Caller& caller, const model::InstanceId& id,
                                            std::uint16_t port);
    // A running instance's serial port; see Hypervisor::open_serial().
    Result<UniqueFd> open_serial(const Caller& caller, const model::InstanceId& id);
    // Exports the volume read-only on a second socket, opening it if nobody has it open; the
    // socket's path.
    Result<std::string> export_volume(const Caller& caller, const model::VolumeId& id);
    Status unexport_volume(const Caller& caller, const model::VolumeId& id);

  private:
    Result<model::Instance> find_running(const Caller& caller, const model::InstanceId& id);
    Result<model::Volume> find(const Caller& caller, const model::VolumeId& id);
    Result<InspectedVolume> describe(model::Volume volume, const model::InstanceId& first) const;
    InspectedDisk look_at(const Caller& caller, const model::SnapshotId& id);

    const Parts parts_;
    VolumeAccess& access_;
    InstanceNetworks& networks_;
    const InstanceWorker& worker_;
    SpaceWatch& space_;
    DiskInspections& disks_;
};

}  // namespace kiln::control
