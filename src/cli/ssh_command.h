// SPDX-License-Identifier: Apache-2.0
// `kiln ssh` and `kiln proxy`: connections to instances through the API, so that they work from any
// host that reaches the service. `ssh` is the host's own, told to connect by `kiln proxy`.
// Thread model: one thread; run_ssh() replaces the process, run_proxy() ends it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/client.h"

namespace kiln::cli {

struct SshRequest {
    std::string destination;  // "i-..." or "user@i-..."
    std::string identity;     // file; empty: ssh's own choice
    std::uint16_t port = 22;
    std::vector<std::string> options;  // ssh's own, "Name=value"; they win over ours
    std::vector<std::string> command;
};

// The arguments of ssh; `program` is this one.
std::vector<std::string> ssh_arguments(const ClientChoices& choices, const SshRequest& request,
                                       const std::string& program);

// Exit status; returns only when ssh cannot be started.
int run_ssh(const ClientChoices& choices, const SshRequest& request);
int run_proxy(const ClientChoices& choices, const std::string& instance, std::uint16_t port);

}  // namespace kiln::cli
