// SPDX-License-Identifier: Apache-2.0
#include "control/idempotency.h"

#include <fmt/format.h>

#include "model/idempotency.h"

namespace kiln::control {
namespace {

model::IdempotencyToken row_of(const Caller& caller, const ClientToken& token) {
    model::IdempotencyToken row;
    row.account = caller.account;
    row.scope = token.scope;
    row.action = token.action;
    row.token = token.token;
    row.request_hash = token.request_hash;
    return row;
}

}  // namespace

Status check_client_token(const std::string& token, std::size_t most) {
    if (token.size() > most) {
        return Error::api(Code::invalid_argument, "InvalidClientToken",
                          fmt::format("The client token is longer than {} characters.", most));
    }
    return ok();
}

Result<std::optional<std::string>> find_result(catalog::Transaction& tx, const Caller& caller,
                                               const ClientToken& token) {
    if (token.token.empty()) {
        return std::optional<std::string>();
    }
    TRY_ASSIGN(const auto known, tx.tokens().find(row_of(caller, token).id()));
    if (!known) {
        return std::optional<std::string>();
    }
    if (known->request_hash != token.request_hash) {  // IDM-2
        return Error::api(
            Code::invalid_argument, "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous "
            "request(s).");
    }
    return std::optional(known->result);
}

Status remember_result(catalog::Transaction& tx, const Caller& caller, const ClientToken& token,
                       const std::string& result, UnixMillis now) {
    if (token.token.empty()) {
        return ok();
    }
    model::IdempotencyToken row = row_of(caller, token);
    row.result = result;
    row.created = now;
    return tx.tokens().insert(row);
}

}  // namespace kiln::control
