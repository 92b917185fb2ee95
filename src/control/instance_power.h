// SPDX-License-Identifier: Apache-2.0
// InstancePower: start, stop and reboot (sections STP, RBT). A request checks all instances, then
// moves all of them, or none; InstanceWorker does what the rows say. Thread-safe, blocking.
#pragma once

#include <functional>
#include <vector>

#include "control/caller.h"
#include "control/instances.h"
#include "control/parts.h"

namespace kiln::control {

struct StopInput {
    std::vector<model::InstanceId> ids;
    bool force = false;             // STP-1
    bool skip_os_shutdown = false;  // STP-1
    bool hibernate = false;
    bool dry_run = false;
};

class InstancePower {
  public:
    // `work_added` is called after a transaction that queued a job.
    InstancePower(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}

    Result<std::vector<StateChange>> start(const Caller& caller,
                                           const std::vector<model::InstanceId>& ids, bool dry_run);
    Result<std::vector<StateChange>> stop(const Caller& caller, const StopInput& input);
    Status reboot(const Caller& caller, const std::vector<model::InstanceId>& ids, bool dry_run);

  private:
    Status start_one(catalog::Transaction& tx, const Caller& caller, model::Instance& instance);
    Status renew_mappings(catalog::Transaction& tx, model::Instance& instance);
    Status check_root(catalog::Transaction& tx, const model::Instance& instance);

    const Parts parts_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
