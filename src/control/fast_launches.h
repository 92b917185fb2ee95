// SPDX-License-Identifier: Apache-2.0
// FastLaunches: snapshots of Windows images that are prepared ahead (FLN-1 .. FLN-7). An account's
// record stands with the image, and is found from the account's settings of the region. A job of
// kind `image.fast-launch` lives as long as the record, and works on it alone:
//
//   keeps `target` snapshots ready: launches machines, at most `parallel` at once, waits until each
//   has powered itself off, cuts its root volume, and ends it when the snapshot is completed
//   gives up when one fails, and ends them all
//   when the record ends: ends the machines, deletes the snapshots, and the record with the job
//
// Each machine's entry in the record is written before its launch, and its snapshot's id in the
// transaction that begins the cut, so that a step may be repeated after a kill at any point.
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/cuts.h"
#include "control/fast_launch_pool.h"
#include "control/filter.h"
#include "control/job_runner.h"
#include "control/launch_templates.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/snapshots.h"
#include "util/mutex.h"

namespace kiln::control {

inline constexpr char kFastLaunchJob[] = "image.fast-launch";  // its subject: FastLaunchKey

struct EnableFastLaunchInput {
    model::ImageId image;
    std::string resource_type;             // empty: snapshot
    std::optional<std::int64_t> target;    // TargetResourceCount
    std::optional<std::int64_t> parallel;  // MaxParallelLaunches
    std::optional<TemplateName> launch_template;
    std::string template_version;  // with a template: not empty
    bool dry_run = false;
};

struct DisableFastLaunchInput {
    model::ImageId image;
    bool force = false;
    bool dry_run = false;
};

struct FastLaunchView {
    model::ImageId image;
    model::AccountId image_owner;
    model::FastLaunch launch;
};

struct DescribeFastLaunchesInput {
    std::vector<model::ImageId> images;
    std::vector<Filter> filters;
    PageRequest page;
};

// What a machine is launched with that prepares a snapshot (FLN-3).
struct PreparingLaunch {
    model::ImageId image;
    model::LaunchTemplateId template_id;  // empty: none
    std::string template_version;
    std::vector<model::Tag> tags;
    std::string client_token;
    bool dry_run = false;
};

class FastLaunches {
  public:
    // Launches it as RunInstances would for the caller, who may be an account itself.
    using Launcher =
        std::function<Result<model::InstanceId>(const Caller& caller, const PreparingLaunch& what)>;

    FastLaunches(const Parts& parts, Cuts& cuts, Snapshots& snapshots, LaunchTemplates& templates,
                 std::function<void()> work_added)
        : parts_(parts),
          cuts_(cuts),
          snapshots_(snapshots),
          templates_(templates),
          work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    // Nothing is launched or enabled before.
    void launch_with(Launcher launcher) EXCLUDES(mutex_);

    Result<FastLaunchView> enable(const Caller& caller, const EnableFastLaunchInput& input);
    Result<FastLaunchView> disable(const Caller& caller, const DisableFastLaunchInput& input);
    Result<Page<FastLaunchView>> describe(const Caller& caller,
                                          const DescribeFastLaunchesInput& input);

  private:
    // What a turn of the job begins with.
    struct Seen {
        FastLaunchKey key;
        Caller caller;  // the account itself
        model::FastLaunch launch;
    };
    Result<FastLaunchView> enable_in(catalog::Transaction& tx, const Caller& caller,
                                     const EnableFastLaunchInput& input,
                                     const model::FastLaunch& wanted);
    Launcher launcher() EXCLUDES(mutex_);

    // fast_launch_worker.cpp
    Status turn(const model::Job& job);
    Status work(const model::Job& job, const Seen& seen);
    Result<std::optional<Seen>> look(const FastLaunchKey& key);
    // Lets `edit` change the record, if it is still there.
    using Edit = std::function<Status(catalog::Transaction&, model::FastLaunch&)>;
    Status change(const FastLaunchKey& key, const Edit& edit);
    // The name of a machine that is to be launched now; nothing when none is needed.
    Result<std::optional<std::string>> reserve(const FastLaunchKey& key);
    // Deletes what is ready beyond the target.
    Status trim(const Seen& seen);
    Status fail(const FastLaunchKey& key, const std::string& why);
    Status clear(const model::Job& job, const Seen& seen);
    Status park(const model::Job& job, std::int64_t for_ms);

    // fast_launch_machines.cpp
    Status advance(const Seen& seen, const model::PreparingMachine& machine);
    // False when there is no room for one more at present.
    Result<bool> launch(const Seen& seen, const std::string& token);
    Status look_at_machine(const Seen& seen, const model::PreparingMachine& machine);
    Status look_at_snapshot(const Seen& seen, const model::PreparingMachine& machine);
    Status cut(const Seen& seen, const model::PreparingMachine& machine,
               const model::Instance& instance);
    Status drop_machine(const Seen& seen, const model::PreparingMachine& machine);

    const Parts parts_;
    Cuts& cuts_;
    Snapshots& snapshots_;
    LaunchTemplates& templates_;
    const std::function<void()> work_added_;
    Mutex mutex_;
    Launcher launcher_ GUARDED_BY(mutex_);
};

const FilterTable<FastLaunchView>& fast_launch_filters();
// What an account is told of it (StateTransitionReason).
std::string failure_text(const Error& error);

}  // namespace kiln::control
