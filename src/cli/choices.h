// SPDX-License-Identifier: Apache-2.0
// The options that every command of a client takes. Thread model: one thread.
#pragma once

#include <memory>

#include "cli/client.h"

namespace CLI {
class App;
}

namespace kiln::cli {

void add_choices(CLI::App* command, const std::shared_ptr<ClientChoices>& choices);

}  // namespace kiln::cli
