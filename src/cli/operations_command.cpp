// SPDX-License-Identifier: Apache-2.0
#include "cli/operations_command.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

// CopyImage, copyimage and, as the aws command line has it, copy-image.
std::string plain(const std::string& name) {
    std::string out;
    for (const char c : name) {
        if (c != '-') {
            out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        }
    }
    return out;
}

bool is_built(const json& operation) {
    return operation["built"].get<bool>();
}

void print_line(const json& operation) {
    std::printf("%-6s %-9s %s\n", operation["service"].get<std::string>().c_str(),
                is_built(operation) ? "built" : "not built",
                operation["operation"].get<std::string>().c_str());
}

void print_whole(const json& operation) {
    print_line(operation);
    if (!is_built(operation)) {
        return;
    }
    for (const json& parameter : operation["parameters"]) {
        std::printf("  parameter %s%s\n", parameter["name"].get<std::string>().c_str(),
                    parameter["required"].get<bool>() ? " (required)" : "");
    }
    for (const json& filter : operation["filters"]) {
        std::printf("  filter    %s\n", filter.get<std::string>().c_str());
    }
}

}  // namespace

int run_operations(const ClientChoices& choices, const OperationsRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    const auto answer = (*client)->call("GET", "/kiln/v1/operations");
    if (!answer) {
        return fail(answer.error());
    }
    json chosen = json::array();
    const json document = json::parse(*answer);
    for (const json& operation : document["operations"]) {
        const bool named = request.name.empty() ||
                           plain(operation["operation"].get<std::string>()) == plain(request.name);
        if (named && (is_built(operation) || !request.built_only)) {
            chosen.push_back(operation);
        }
    }
    if (chosen.empty() && !request.name.empty()) {
        return fail(Error(Code::not_found, "no " + std::string(request.built_only ? "built " : "") +
                                               "operation is called " + request.name +
                                               "; kiln operations lists them all"));
    }
    if (request.json) {
        std::puts(json{{"operations", chosen}}.dump(2).c_str());
        return 0;
    }
    for (const json& operation : chosen) {
        request.name.empty() ? print_line(operation) : print_whole(operation);
    }
    return 0;
}

}  // namespace kiln::cli
