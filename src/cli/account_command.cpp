// SPDX-License-Identifier: Apache-2.0
#include "cli/account_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/choices.h"
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

// What is given of it, under the names of the call.
json body_of(const AccountRequest& request) {
    json body = json::object();
    for (const auto& [name, value] : {std::pair{"name", &request.name},
                                      {"managementAccount", &request.management},
                                      {"organization", &request.organization},
                                      {"units", &request.units}}) {
        if (!value->empty()) {
            body[name] = *value;
        }
    }
    return body;
}

void add_organization_options(CLI::App* command, AccountRequest& input) {
    command->add_option("--organization", input.organization, "the organization it is in, o-...");
    command->add_option("--management-account", input.management,
                        "the account that manages the organization, 12 digits");
    command->add_option("--units", input.units,
                        "the organizational units it is in, the outermost first: ou-.../ou-...");
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
    json body = body_of(request);
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

int run_update_account(const ClientChoices& choices, const AccountRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    json body = body_of(request);
    if (request.leave) {
        body["organization"] = "";
    }
    const auto answer = (*client)->call("PUT", "/kiln/v1/accounts/" + request.id, body.dump());
    if (!answer) {
        return fail(answer.error());
    }
    std::puts(json::parse(*answer).dump(2).c_str());
    return 0;
}

void add_account_commands(CLI::App& app, std::function<int()>* run) {
    CLI::App* account = app.add_subcommand("account", "accounts and their keys");
    account->require_subcommand(1);
    auto choices = std::make_shared<ClientChoices>();
    auto input = std::make_shared<AccountRequest>();
    CLI::App* create = account->add_subcommand(
        "create",
        "make an account and print its keys as a profile, to be appended to a file of AWS "
        "credentials (administrators only)");
    add_choices(create, choices);
    create->add_option("--name", input->name, "for people, and of the profile");
    create->add_option("--id", input->id, "12 digits; random when left out");
    add_organization_options(create, *input);
    create->add_flag("--json", input->json, "print the answer as JSON");
    create->callback([=] { *run = [=] { return run_create_account(*choices, *input); }; });

    auto changed = std::make_shared<AccountRequest>();
    CLI::App* update = account->add_subcommand(
        "update",
        "change an account's name or organization and print the account as JSON (administrators "
        "only)");
    add_choices(update, choices);
    update->add_option("ID", changed->id, "12 digits")->required();
    update->add_option("--name", changed->name, "for people");
    add_organization_options(update, *changed);
    update->add_flag("--no-organization", changed->leave, "take it out of its organization")
        ->excludes("--organization");
    update->callback([=] { *run = [=] { return run_update_account(*choices, *changed); }; });
}

}  // namespace kiln::cli
