// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/account_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "control/api_errors.h"

namespace kiln::api {
namespace {

using nlohmann::json;

Result<json> parse_texts(std::string_view body, bool with_id) {
    const json document = json::parse(body.empty() ? std::string_view("{}") : body, nullptr, false);
    if (!document.is_object()) {
        return control::errors::invalid_parameter_value("The body is not a JSON object.");
    }
    constexpr std::array<std::string_view, 4> kKnown{"name", "managementAccount", "organization",
                                                     "units"};
    for (const auto& [name, value] : document.items()) {
        const bool known = std::find(kKnown.begin(), kKnown.end(), name) != kKnown.end() ||
                           (with_id && name == "id");
        if (!known || !value.is_string()) {
            return control::errors::invalid_parameter_value(fmt::format(
                "The body may hold the texts 'name', {}'managementAccount', 'organization' and "
                "'units' only.",
                with_id ? "'id', " : ""));
        }
    }
    return document;
}

Result<std::optional<model::Membership>> membership_of(const json& document) {
    const std::string organization = document.value("organization", "");
    if (organization.empty()) {
        if (!document.value("managementAccount", "").empty() ||
            !document.value("units", "").empty()) {
            return control::errors::invalid_parameter_value(
                "'managementAccount' and 'units' go with an 'organization'.");
        }
        return std::optional<model::Membership>();
    }
    TRY_ASSIGN(auto membership, model::parse_membership(document.value("managementAccount", ""),
                                                        organization, document.value("units", "")));
    return std::optional<model::Membership>(std::move(membership));
}

}  // namespace

Result<std::string> create_account(control::Accounts& accounts, std::string_view body) {
    TRY_ASSIGN(const json document, parse_texts(body, true));
    control::NewAccountInput input;
    input.id = document.value("id", "");
    input.name = document.value("name", "");
    TRY_ASSIGN(input.membership, membership_of(document));
    TRY_ASSIGN(const auto made, accounts.create(input));
    return json{{"accountId", made.account.id.str()},
                {"accessKeyId", made.key.id.str()},
                {"secretAccessKey", made.key.secret}}
        .dump();
}

Result<std::string> update_account(control::Accounts& accounts, const std::string& id,
                                   std::string_view body) {
    TRY_ASSIGN(const json document, parse_texts(body, false));
    control::AccountChange change;
    if (document.contains("name")) {
        change.name = document.value("name", "");
    }
    TRY_ASSIGN(change.membership, membership_of(document));
    change.leave = document.contains("organization") && !change.membership;
    TRY_ASSIGN(const model::Account account, accounts.update(id, change));
    json answer{{"accountId", account.id.str()}, {"name", account.name}};
    if (account.membership) {
        answer["managementAccount"] = account.membership->management.str();
        answer["organization"] = account.membership->organization;
        answer["units"] = model::unit_path(*account.membership);
    }
    return answer.dump();
}

}  // namespace kiln::api
