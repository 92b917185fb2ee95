// SPDX-License-Identifier: Apache-2.0
// VolumeHealth: what DescribeVolumeStatus tells, and EnableVolumeIO (VOL-14, VOL-17).
//
// Every few seconds, and before each answer, the engine is asked which open volumes met what they
// should not have, and VolumeAccess which could not be opened. The first time of each volume is
// noted in its row and stays there until EnableVolumeIO. What is the matter right now is not
// stored. A volume with `autoEnableIO` that the engine stopped is opened anew by itself.
//
// Thread-safe, blocking. start() begins the thread, stop() joins it; both once.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/periodic.h"
#include "control/volume_access.h"
#include "model/volume.h"
#include "util/mutex.h"

namespace kiln::control {

enum class VolumeStatus { passed, impaired, insufficient_data, warning };
constexpr auto enum_names(VolumeStatus) {
    using model::EnumName;
    return std::to_array<EnumName<VolumeStatus>>(
        {{VolumeStatus::passed, "ok"},
         {VolumeStatus::impaired, "impaired"},
         {VolumeStatus::insufficient_data, "insufficient-data"},
         {VolumeStatus::warning, "warning"}});
}

struct VolumeStatusView {
    model::Volume volume;
    VolumeStatus status = VolumeStatus::passed;
    bool io_failed = false;  // nothing can be read or written now
    std::string zone_id;
    std::vector<model::Tag> tags;
};

// VOL-17: what is shown of a volume's status: names and states; of its event, if it has one.
std::vector<std::pair<std::string, std::string>> status_details(const VolumeStatusView& view);
inline constexpr char kVolumeEventType[] = "potential-data-inconsistency";
inline constexpr char kVolumeActionCode[] = "enable-volume-io";
inline constexpr char kVolumeActionText[] = "Enable volume I/O";
std::string describe_event(const model::VolumeEventNote& event);

// INS-7: those that have a volume the engine stopped (VOL-14), as it is now; an error when the
// engine does not say.
Result<std::set<model::InstanceId>> instances_with_stopped_volume(const Parts& parts,
                                                                  Deadline deadline);

struct DescribeVolumeStatusInput {
    std::vector<model::VolumeId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

class VolumeHealth {
  public:
    VolumeHealth(const Parts& parts, VolumeAccess& access) : parts_(parts), access_(access) {}

    void start() { rounds_.start(); }
    void stop() { rounds_.stop(); }
    // One round of the thread.
    void look() EXCLUDES(mutex_);

    Result<Page<VolumeStatusView>> describe(const Caller& caller,
                                            const DescribeVolumeStatusInput& input);
    // Fine when there is nothing to enable. IncorrectState when it still cannot be opened.
    Status enable_io(const Caller& caller, const model::VolumeId& id, bool dry_run);
    Result<model::Volume> attributes(const Caller& caller, const model::VolumeId& id, bool dry_run);
    Status set_auto_enable_io(const Caller& caller, const model::VolumeId& id, bool enable,
                              bool dry_run);

  private:
    using Clock = std::chrono::steady_clock;
    using Faults = std::map<model::VolumeId, model::VolumeFault>;
    struct Retry {
        Clock::time_point next{};
        std::chrono::milliseconds pause{0};
    };

    // What is the matter now; an error when the engine does not say.
    Result<Faults> faults();
    // True when the volume is to be opened anew by itself.
    Result<bool> note(const model::VolumeId& id, model::VolumeFault fault);
    void note_all(const Faults& faults) EXCLUDES(mutex_);
    bool may_retry(const model::VolumeId& id) EXCLUDES(mutex_);
    Status reopen(const model::VolumeId& id);

    const Parts parts_;
    VolumeAccess& access_;
    Mutex mutex_;
    std::map<model::VolumeId, Retry> retries_ GUARDED_BY(mutex_);
    Periodic rounds_{std::chrono::seconds(2), [this] { look(); }};  // the last: it uses the others
};

// VOL-17.
const FilterTable<VolumeStatusView>& volume_status_filters();

}  // namespace kiln::control
