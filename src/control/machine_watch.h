// SPDX-License-Identifier: Apache-2.0
// MachineWatch: hears what happens to machines and passes it on to the workers, on a thread of its
// own, because the hypervisor's supervisor thread must not wait for the catalog. An event that is
// lost with the process is found again by InstanceWorker::recover(), or by SpaceWatch. Thread-safe.
// The workers are set before the first machine is started or adopted.
#pragma once

#include "compute/hypervisor.h"
#include "control/attachment_worker.h"
#include "control/instance_worker.h"
#include "control/space_watch.h"
#include "util/executor.h"

namespace kiln::control {

class MachineWatch final : public compute::MachineEvents {
  public:
    explicit MachineWatch(Executor& executor) : executor_(executor) {}
    void set_workers(InstanceWorker& worker, AttachmentWorker& attachments, SpaceWatch& space) {
        worker_ = &worker;
        attachments_ = &attachments;
        space_ = &space;
    }
    void on_event(const compute::MachineId& id, std::uint64_t generation,
                  const compute::MachineEvent& event) override;

  private:
    // Does `work` on the executor; what fails is logged as "`what` was not noted".
    void note(std::string what, std::function<Status()> work);

    Executor& executor_;
    AttachmentWorker* attachments_ = nullptr;
    InstanceWorker* worker_ = nullptr;
    SpaceWatch* space_ = nullptr;
};

}  // namespace kiln::control
