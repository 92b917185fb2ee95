// SPDX-License-Identifier: Apache-2.0
// GuestFreeze: a running guest's file systems, written out and held still while its volumes are cut
// (CI-5), if there is an agent in it that does this. Without one, or when it does not answer in
// time, the cut is as after a loss of power: nothing else changes.
//
// A note in the instance's directory says that a guest may be held. It is there before the guest
// is, and goes after it was let go; release_frozen() lets go whom a killed service still held. A
// guest that does not answer to that is asked again by a job, until it does or its machine is gone.
//
// One owner thread, blocking.
#pragma once

#include "control/parts.h"
#include "model/job.h"

namespace kiln::control {

class GuestFreeze {
  public:
    GuestFreeze(const Parts& parts, model::InstanceId instance);
    ~GuestFreeze();
    GuestFreeze(const GuestFreeze&) = delete;
    GuestFreeze& operator=(const GuestFreeze&) = delete;

    bool held() const { return held_; }

  private:
    const Parts parts_;
    const model::InstanceId instance_;
    bool held_ = false;
};

// After a restart, when the machine is known again.
void release_frozen(const Parts& parts, const model::InstanceId& instance);

inline constexpr char kThawJob[] = "instance.thaw";
// One attempt of such a job.
Status thaw_again(const Parts& parts, const model::Job& job);

}  // namespace kiln::control
