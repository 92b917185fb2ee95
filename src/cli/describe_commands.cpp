// SPDX-License-Identifier: Apache-2.0
#include "cli/describe_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace kiln::cli {
namespace {

using nlohmann::ordered_json;

bool takes_several(const CLI::Option& option) {
    return option.get_items_expected_max() >= CLI::detail::expected_max_vector_size;
}

ordered_json describe_option(const CLI::Option& option) {
    ordered_json names = ordered_json::array();
    for (const std::string& name : option.get_snames()) {
        names.push_back("-" + name);
    }
    for (const std::string& name : option.get_lnames()) {
        names.push_back("--" + name);
    }
    return {{"names", names},
            {"description", option.get_description()},
            {"value", option.get_items_expected_max() > 0},
            {"default", option.get_default_str()},
            {"repeated", takes_several(option)}};
}

ordered_json describe(const CLI::App& app) {
    ordered_json out = {{"name", app.get_name()},
                        {"description", app.get_description()},
                        {"aliases", app.get_aliases()},
                        {"options", ordered_json::array()},
                        {"arguments", ordered_json::array()},
                        {"commands", ordered_json::array()}};
    for (const CLI::Option* option : app.get_options()) {
        if (option->get_positional()) {
            out["arguments"].push_back({{"name", option->get_name(true)},
                                        {"description", option->get_description()},
                                        {"required", option->get_required()},
                                        {"repeated", takes_several(*option)}});
        } else {
            out["options"].push_back(describe_option(*option));
            out["options"].back()["required"] = option->get_required();
        }
    }
    const auto shown = [](const CLI::App* command) { return !command->get_group().empty(); };
    for (const CLI::App* command : app.get_subcommands(shown)) {
        out["commands"].push_back(describe(*command));
    }
    return out;
}

}  // namespace

std::string describe_commands(const CLI::App& app) {
    return describe(app).dump(1);
}

void add_describe_commands(CLI::App& app, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand("describe-commands", "")->group("");
    command->callback([&app, run] {
        *run = [&app] {
            std::puts(describe_commands(app).c_str());
            return 0;
        };
    });
}

}  // namespace kiln::cli
