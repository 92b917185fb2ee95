// SPDX-License-Identifier: Apache-2.0
// The commands and options of this program as JSON, read off the parser itself: the one table from
// which man pages and shell completions are made (tools/gen-cli-docs), so that these cannot say
// anything else than `--help` does. Hidden commands are left out. Thread model: one thread.
#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace kiln::cli {

// {"name", "description", "aliases": [...], "options": [...], "arguments": [...], "commands":
// [...]} with the same shape again in "commands". An option: {"names": ["-i", "--identity"],
// "description", "value": whether it takes one, "default", "repeated", "required"}; an argument:
// {"name", "description", "required", "repeated"}.
std::string describe_commands(const CLI::App& app);

// Adds the hidden subcommand `describe-commands`, which prints that.
void add_describe_commands(CLI::App& app, std::function<int()>* run);

}  // namespace kiln::cli
