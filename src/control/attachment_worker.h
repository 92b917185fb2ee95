// SPDX-License-Identifier: Apache-2.0
// AttachmentWorker: gives running machines the disks their rows say, and takes them away (VOL-4,
// VOL-5). The job `volume.attachment` looks at the row at each of its turns: `attaching` plugs the
// disk, `detaching` and `busy` unplug it; a row that says anything else ends the job. Every turn
// may be repeated after a crash. Thread-safe, blocking.
#pragma once

#include <functional>

#include "control/instance_worker.h"
#include "control/job_runner.h"
#include "control/parts.h"
#include "control/volume_access.h"

namespace kiln::control {

inline constexpr char kAttachmentJob[] = "volume.attachment";
inline constexpr char kAttachStep[] = "attach";
inline constexpr char kDetachStep[] = "detach";

Result<bool> has_attachment_job(catalog::Transaction& tx, const model::VolumeId& id);

class AttachmentWorker {
  public:
    AttachmentWorker(const Parts& parts, VolumeAccess& access, std::function<void()> work_added)
        : parts_(parts), access_(access), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    // The guest let go of the disk of this volume.
    Status disk_released(const std::string& volume);

  private:
    Status turn(const model::Job& job);
    Status attach(const model::Job& job, const model::Volume& volume);
    Status detach(const model::Job& job, const model::Volume& volume);
    Status wait(const model::Job& job, const model::VolumeId& id);
    // Whether a guest that is forced had its time.
    bool is_overdue(const model::Job& job) const;
    // Ends the job with the attachment as `change` makes it. The row may have moved on.
    Status finish(const model::Job& job, const model::VolumeId& id,
                  const std::function<Status(catalog::Transaction&, model::Volume&)>& change);

    const Parts parts_;
    VolumeAccess& access_;
    const std::function<void()> work_added_;
};

// The disk of an attached volume, as a machine is told of it.
compute::DiskSpec disk_of(const VolumeAccess& access, const model::Volume& volume,
                          model::DiskTransport transport);

}  // namespace kiln::control
