// SPDX-License-Identifier: Apache-2.0
// ModifyVolume and DescribeVolumesModifications (VOL-8, VOL-9). A request checks, notes the
// modification in the volume's row as `modifying`, and queues the job `volume.modification`:
//
//   change   the files grow, the row gets its new size, type and performance, and those who have
//            the volume open its new size; `optimizing`
//   show     the machines that have the disk tell their guests; `completed`
//
// Each step may be repeated after a crash at any point. A volume whose files are damaged ends as
// `failed`, as it was; what else goes wrong is tried again.
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/job_runner.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/volume_access.h"
#include "model/volume.h"

namespace kiln::control {

inline constexpr char kModificationJob[] = "volume.modification";

// VOL-8: so many may begin within a day.
inline constexpr std::size_t kMaxModificationsPerDay = 4;

struct ModifyVolumeInput {
    model::VolumeId volume;
    std::optional<std::uint32_t> size_gib;
    std::optional<model::VolumeType> type;
    std::optional<std::uint32_t> iops;
    std::optional<std::uint32_t> throughput_mibps;
    std::optional<bool> multi_attach;
    bool dry_run = false;
};

struct DescribeModificationsInput {
    std::vector<model::VolumeId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

class VolumeModifications {
  public:
    VolumeModifications(const Parts& parts, VolumeAccess& access, std::function<void()> work_added)
        : parts_(parts), access_(access), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);

    // Both give volumes that have a modification.
    Result<model::Volume> modify(const Caller& caller, const ModifyVolumeInput& input);
    Result<Page<model::Volume>> describe(const Caller& caller,
                                         const DescribeModificationsInput& input);

  private:
    Result<model::Volume> modify_in(catalog::Transaction& tx, const Caller& caller,
                                    const ModifyVolumeInput& input);
    Status turn(const model::Job& job);
    Status change(const model::Job& job, const model::Volume& volume);
    Status commit_change(const model::VolumeId& id);
    Status fail(const model::Job& job, const Error& error);
    Status show(const model::Job& job, const model::Volume& volume);
    // Whether every guest that has the volume sees its size, or nobody is to: as the slowest one.
    enum class Shown { yes, not_yet, not_soon };
    Shown shown(const model::Volume& volume);
    Result<bool> shown_to(const model::Volume& volume, const model::VolumeAttachment& attachment);
    Status complete(const model::Job& job);

    const Parts parts_;
    VolumeAccess& access_;
    const std::function<void()> work_added_;
};

// VOL-9: 0 to 100.
unsigned progress_of(const model::VolumeModification& modification);
// What the volume is to be (VOL-8): what is not asked for stays, or is the default of a new type.
// Checked against the limits of the type, and by what Multi-Attach lets change (VOL-11).
Result<model::VolumeShape> modified_shape(const model::VolumeShape& now,
                                          const ModifyVolumeInput& input);

// VOL-9.
const FilterTable<model::Volume>& modification_filters();

}  // namespace kiln::control
