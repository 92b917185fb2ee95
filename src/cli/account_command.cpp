// SPDX-License-Identifier: Apache-2.0
#include "cli/account_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

bool names_a_profile(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
}

}  // namespace

std::string profile_text(const std::string& name, const std::string& account,
                         const std::string& access_key, const std::string& secret_key) {
    return fmt::format("# account {}\n[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                       account, names_a_profile(name) ? name : account, access_key, secret_key);
}

int run_create_account(const ClientChoices& choices, const AccountRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    json body{{"name", request.name}};
    if (!request.id.empty()) {
        body["id"] = request.id;
    }
    const auto answer = (*client)->call("POST", "/kiln/v1/accounts", body.dump());
    if (!answer) {
        return fail(answer.error());
    }
    const json made = json::parse(*answer);
    if (request.json) {
        std::puts(made.dump(2).c_str());
    } else {
        std::fputs(profile_text(request.name, made["accountId"], made["accessKeyId"],
                                made["secretAccessKey"])
                       .c_str(),
                   stdout);
    }
    return 0;
}

}  // namespace kiln::cli
