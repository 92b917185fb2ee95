// SPDX-License-Identifier: Apache-2.0
// AttachmentWorker: gives running machines the disks their rows say, and takes them away (VOL-4,
// VOL-5). The job `volume.attachment` is of one attachment (VOL-11: a guest that is slow to let go
// holds up no other) and looks at the row at each of its turns: `attaching` plugs the disk,
// `detaching` and `busy` unplug it; a row that says anything else ends the job. Every turn may be
// repeated after a crash. Thread-safe, blocking.
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

// The subject of its job: the volume's id, a slash and the instance's.
std::string attachment_subject(const model::VolumeId& volume, const model::InstanceId& instance);
Result<bool> has_attachment_job(catalog::Transaction& tx, const std::string& subject);

class AttachmentWorker {
  public:
    AttachmentWorker(const Parts& parts, VolumeAccess& access, std::function<void()> work_added)
        : parts_(parts), access_(access), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    // The guest of this instance let go of the disk of this volume.
    Status disk_released(const model::InstanceId& instance, const std::string& volume);

  private:
    // An attachment as a turn finds it.
    struct Found {
        model::Volume volume;
        model::VolumeAttachment attachment;
        model::DiskTransport transport = model::DiskTransport::nbd;
    };
    using Change = std::function<Status(catalog::Transaction& tx, model::Volume& volume,
                                        model::VolumeAttachment& attachment)>;

    Status turn(const model::Job& job);
    // Nothing when it is no more.
    Result<std::optional<Found>> find(const model::Job& job);
    Status attach(const model::Job& job, const Found& found);
    Status detach(const model::Job& job, const Found& found);
    Status wait(const model::Job& job, const Found& found);
    // Whether a guest that is forced had its time.
    bool is_overdue(const model::Job& job) const;
    // Ends the job with the attachment as `change` makes it. The row may have moved on.
    Status finish(const model::Job& job, const Found& found, const Change& change);

    const Parts parts_;
    VolumeAccess& access_;
    const std::function<void()> work_added_;
};

// The disk that an attachment of the volume is, as the machine is told of it.
compute::DiskSpec disk_of(const VolumeAccess& access, const model::VolumeId& volume,
                          const model::VolumeAttachment& attachment,
                          model::DiskTransport transport);

}  // namespace kiln::control
