// SPDX-License-Identifier: Apache-2.0
// The client subcommands of `kiln`: every one of them speaks to a running service, like any other
// client (D25). Thread model: one thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace kiln::cli {

// Adds the subcommands to `app`; the one that is chosen sets *run to what main() then calls for the
// exit status.
void add_commands(CLI::App& app, std::function<int()>* run);

}  // namespace kiln::cli
