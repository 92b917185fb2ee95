// SPDX-License-Identifier: Apache-2.0
// `kiln account`: making an account with keys, printed as a profile that can be appended to a file
// of AWS credentials, and changing one. Thread model: one thread.
#pragma once

#include <functional>
#include <string>

#include "cli/client.h"

namespace CLI {
class App;
}

namespace kiln::cli {

struct AccountRequest {
    std::string name{};  // for people
    std::string id{};    // 12 digits; chosen by the service when empty
    std::string management{};
    std::string organization{};
    std::string units{};  // "ou-.../ou-..."
    bool leave = false;   // its organization
    bool json = false;
};

void add_account_commands(CLI::App& app, std::function<int()>* run);

// Returns the exit status.
int run_create_account(const ClientChoices& choices, const AccountRequest& request);
int run_update_account(const ClientChoices& choices, const AccountRequest& request);

// The profile's text: "[team]" and the keys, below a comment with the account's number. A name that
// cannot be one of a profile gives way to the number.
std::string profile_text(const std::string& name, const std::string& account,
                         const std::string& access_key, const std::string& secret_key);

}  // namespace kiln::cli
