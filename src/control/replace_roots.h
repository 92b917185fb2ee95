// SPDX-License-Identifier: Apache-2.0
// ReplaceRoots: the root volume of a running instance is exchanged for a new one (VOL-15, RRV-1 to
// RRV-6), made of the snapshot it was launched with, of one in its lineage, or of an image, or one
// that is there already.
//
// The request makes the new volume, `creating`, unless it is given, the task, and the job
// `instance.replace-root`, which holds the instance (has_hold()):
//
//   the guest powers off, as for a reboot; its machine ends, and the old root is closed
//   one transaction exchanges the volumes, and what of the instance comes from its image
//   a machine with the new root starts; the task has succeeded
//
// A machine that does not start with the new root is ended, the exchange taken back, and one with
// the old root started: the task has failed. Each step may be repeated, after a kill as well: the
// task says whether the volumes are exchanged.
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_worker.h"
#include "control/pagination.h"
#include "control/tagging.h"
#include "control/volume_plan.h"
#include "model/replace_root.h"

namespace kiln::control {

inline constexpr char kReplaceRootJob[] = "instance.replace-root";  // its subject: the instance

struct ReplaceRootInput {
    model::InstanceId instance;
    model::SnapshotId snapshot;  // at most one of these three
    model::ImageId image;
    model::VolumeId volume;
    std::optional<std::uint32_t> initialization_rate_mibps;  // VOL-19; not of a given volume
    bool delete_replaced_root = false;
    std::vector<TagSpecification> tags;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct ReplaceRootView {
    model::ReplaceRootTask task;
    std::vector<model::Tag> tags;
};

const FilterTable<ReplaceRootView>& replace_root_filters();

struct DescribeReplaceRootsInput {
    std::vector<model::ReplaceRootTaskId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

class ReplaceRoots {
  public:
    ReplaceRoots(const Parts& parts, VolumeAccess& access, InstanceWorker& instances,
                 std::function<void()> work_added)
        : parts_(parts),
          access_(access),
          instances_(instances),
          work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    Result<ReplaceRootView> create(const Caller& caller, const ReplaceRootInput& input);
    Result<Page<ReplaceRootView>> describe(const Caller& caller,
                                           const DescribeReplaceRootsInput& input);

  private:
    struct Plan;
    Result<ReplaceRootView> create_in(catalog::Transaction& tx, const Caller& caller,
                                      const ReplaceRootInput& input);
    Result<Plan> plan(catalog::Transaction& tx, const Caller& caller,
                      const ReplaceRootInput& input) const;
    Result<model::VolumeId> make_root(catalog::Transaction& tx, const Caller& caller,
                                      const ReplaceRootInput& input, const Plan& plan,
                                      UnixMillis now) const;

    // replace_root_worker.cpp
    Status turn(const model::Job& job);
    Status check_given(const model::ReplaceRootTask& task);
    Status try_exchange(const model::Job& job, const model::ReplaceRootTask& task);
    Status exchange(const model::Job& job, const model::ReplaceRootTask& task);
    Status start(const model::Job& job, const model::ReplaceRootTask& task);
    Status fail(const model::Job& job, const model::ReplaceRootTask& task, const std::string& why);
    Status end_machine(const model::InstanceId& id);
    void close(const model::VolumeId& id, const model::InstanceId& instance);

    const Parts parts_;
    VolumeAccess& access_;
    InstanceWorker& instances_;
    const std::function<void()> work_added_;
};

// RRV-6: whether this volume may become the root of the instance.
Status check_given_root(const model::Volume& volume, const model::Instance& instance);

// What of an instance comes from the image of its root (RRV-3).
struct RootFacts {
    model::ImageId image;
    std::optional<model::BootMode> boot_mode;
    model::BootMode current_boot_mode = model::BootMode::legacy_bios;
    bool ena_support = false;
    bool sriov_net_simple = false;
    model::SnapshotId launch_snapshot;  // of its root: what the next task without a source takes
};
RootFacts root_facts(const model::Instance& instance);
void apply_root_facts(model::Instance& instance, const RootFacts& facts);

// What the job keeps; data_loss for a text that is none.
struct ReplaceRootPayload {
    model::ReplaceRootTaskId task;
    RootFacts before;
    RootFacts after;
    std::string text() const;
    static Result<ReplaceRootPayload> parse(const std::string& text);
};

// The tasks of an instance that is forgotten, and their tags.
Status erase_replace_root_tasks(catalog::Transaction& tx, const model::InstanceId& instance);
Error replace_root_task_not_found(const model::ReplaceRootTaskId& id);

}  // namespace kiln::control
