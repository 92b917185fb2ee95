// SPDX-License-Identifier: Apache-2.0
// The network process of one instance: `kiln guest-network --config FILE`. It needs nobody: it
// outlives the daemon, connects to the machine's NIC again whenever that is there, and when killed
// and started again serves the running guest on, except for the connections that existed.
// Thread model: run_guest_network() is the process's main().
#pragma once

#include <string>

namespace kiln::compute {

// Returns the exit status: 0 after `stop`, 1 when it could not begin (the reason is in the log).
// `control_fd` is a listening unix socket; negative: it is made at the place the configuration's
// runtime directory gives.
int run_guest_network(const std::string& config_path, int control_fd);

}  // namespace kiln::compute
