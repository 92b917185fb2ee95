// SPDX-License-Identifier: Apache-2.0
// IdempotencyToken: a client token that has created something (section 5). The row is inserted in
// the transaction that creates, so of concurrent duplicates exactly one creates (IDM-3), and a
// refused request binds nothing (IDM-4). Thread model: plain value.
#pragma once

#include <string>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::model {

struct TokenIdTag {};
using TokenId = StrongId<TokenIdTag>;

struct IdempotencyToken {
    AccountId account;
    std::string scope;   // the region, or the zone where the request names one (IDM-6)
    std::string action;  // RunInstances
    std::string token;   // as the client gave it; case-sensitive
    std::string
        request_hash;    // of the request's other parameters: another one is a mismatch (IDM-2)
    std::string result;  // what it created: an id
    UnixMillis created;
    // The four parts that must be unique together, as one text. Only the last may contain a slash.
    TokenId id() const { return TokenId(account.str() + "/" + scope + "/" + action + "/" + token); }
    friend bool operator==(const IdempotencyToken&, const IdempotencyToken&) = default;
};

}  // namespace kiln::model
