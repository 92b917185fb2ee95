// SPDX-License-Identifier: Apache-2.0
// Which user a machine's processes run as. As root each machine gets a user id of its own, so that
// one that breaks out of QEMU can touch neither the daemon's files nor another machine; otherwise
// all run as the daemon does.
//
// The id is a fixed function of the instance id, so nothing has to be stored or given back. The
// range is one that systemd's list of uid ranges leaves unused, and wide: among 1,000 machines the
// chance that two share an id is 0.4 %. Thread model: pure functions over the host.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "compute/hypervisor.h"

namespace kiln::compute {

inline constexpr uid_t kFirstInstanceUid = 1'880'000'000;
inline constexpr uid_t kInstanceUidCount = 1U << 27;

struct UserPolicy {
    bool separate = false;
    std::string reason;  // a clause, for people
};
UserPolicy choose_users(bool wanted);

uid_t instance_uid(const MachineId& id);

// Whether /proc/self/uid_map text `map` covers the whole range (in a container it may not).
bool maps_instance_uids(std::string_view map);

}  // namespace kiln::compute
