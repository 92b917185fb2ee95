// SPDX-License-Identifier: Apache-2.0
#include "control/describe_scope.h"

#include <algorithm>

namespace kiln::control {
namespace {

constexpr std::string_view kAliases[] = {"amazon", "aws-marketplace", "aws-backup-vault"};

bool is_alias(const std::string& text) {
    return std::find(std::begin(kAliases), std::end(kAliases), text) != std::end(kAliases);
}

}  // namespace

bool OwnerScope::has(const model::AccountId& owner, const std::string& alias) const {
    return any || std::find(accounts.begin(), accounts.end(), owner) != accounts.end() ||
           std::find(aliases.begin(), aliases.end(), alias) != aliases.end();
}

Result<OwnerScope> parse_owners(const Caller& caller, const std::vector<std::string>& texts) {
    OwnerScope scope;
    scope.any = texts.empty();
    for (const std::string& text : texts) {
        if (text == "self") {
            scope.accounts.push_back(caller.account);
        } else if (is_alias(text)) {
            scope.aliases.push_back(text);
        } else {
            TRY_ASSIGN(scope.accounts.emplace_back(), model::parse_account_id(text));
        }
    }
    return scope;
}

Result<SharedScope> parse_shared_with(const Caller& caller, const std::vector<std::string>& texts) {
    SharedScope scope;
    scope.any = texts.empty();
    for (const std::string& text : texts) {
        if (text == "all") {
            scope.everybody = true;
        } else if (text == "self") {
            scope.accounts.push_back(caller.account);
        } else {
            TRY_ASSIGN(scope.accounts.emplace_back(), model::parse_account_id(text));
        }
    }
    return scope;
}

}  // namespace kiln::control
