// SPDX-License-Identifier: Apache-2.0
// The steps of starting, finding and ending one network process: configuration, control socket,
// log, record, child. Thread model: pure functions over files; one at a time per instance.
#pragma once

#include <memory>

#include "compute/network/config.h"
#include "compute/network/record.h"

namespace kiln::compute {

struct NetworkLaunchFacts {
    std::string program;
    bool separate_users = false;
};

// A process that is ours to watch; the descriptor is shared with the watch.
struct NetworkProcess {
    pid_t pid = 0;
    std::shared_ptr<const UniqueFd> pidfd;
};

// The user a network process runs as; nothing: ours.
std::optional<uid_t> network_user(const MachineId& id, const NetworkLaunchFacts& facts);

// Writes what the process reads, its forwarded ports worked out for this host.
Status write_guest_network_config(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts);
// not_found when there is none.
Result<GuestNetworkSpec> read_guest_network_spec(const std::string& runtime_directory);

// Gives the sockets of metadata and API, which their servers make for their own user alone, to the
// process's user.
Status grant_service_sockets(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts);

// Starts the process over the configuration that is there. It executes when this returns; whether
// it is content with the configuration, ask_network() tells.
Result<NetworkProcess> launch_network(const GuestNetworkSpec& spec, const NetworkLaunchFacts& facts,
                                      Deadline deadline);

// The recorded process, if it lives and is a network process. One that never came to execute the
// program is ended.
Result<std::optional<NetworkProcess>> find_network(const NetworkRecord& record, Deadline deadline);

// SIGKILL, and waits. The kernel closes its sockets, which is all there is to clean up.
Status end_network(const NetworkProcess& process, Deadline deadline);

// Removes record, configuration and sockets.
Status forget_network(const std::string& directory, const std::string& runtime_directory);

// The last line of the process's log; empty when there is none.
std::string network_last_words(const std::string& directory);

}  // namespace kiln::compute
