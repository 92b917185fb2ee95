// SPDX-License-Identifier: Apache-2.0
// kiln console and kiln logs: an instance's serial console, both ways and to look at. Thread model:
// one thread calls; a session has another for what is typed.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

// Connects this terminal to the console until the instance ends or ^] is typed. Without a terminal,
// standard input goes to the console until it ends; the console's output is shown until the
// instance ends or somebody interrupts.
int run_console(const ClientChoices& choices, const std::string& instance);
// Prints what the console's log holds, raw; `follow`: and what is added, until interrupted.
int run_logs(const ClientChoices& choices, const std::string& instance, bool follow);

}  // namespace kiln::cli
