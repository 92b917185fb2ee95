// SPDX-License-Identifier: Apache-2.0
// The condition keys that policies may name here, and the forms of their values (IAM-8). A key is
// in the list only if its value is supplied for every call that has it (control/resource_facts.h);
// any other is refused when the policy is put.
// Thread model: immutable data and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::control {

// `epoch`: seconds, which operators of dates and of numbers take.
enum class KeyType { text, arn, number, boolean, date, epoch, address };
enum class KeyScope {
    call,      // every call has it, as far as who calls has
    resource,  // of what a call touches or makes
    tagging,   // the same; and of an AssumeRole, so that trust policies know it
    trust,     // of an AssumeRole: in trust policies alone
};

struct PolicyKey {
    std::string_view name;  // in lower case; one that ends in '/' is followed by the key of a tag
    KeyType type = KeyType::text;
    KeyScope scope = KeyScope::resource;
    bool several = false;  // it may have more values than one, so it is no variable
};

// `key` is in lower case. Null for one that is not known.
const PolicyKey* find_policy_key(std::string_view key);
// Whether a trust policy, or one of another kind, may name it.
bool is_known_to(const PolicyKey& key, bool trust);
// Whether its value is one of what the call touches, which is not always known.
bool is_of_resource(const PolicyKey& key, bool trust);

// A point in time in milliseconds since 1970: YYYY-MM, YYYY-MM-DD, or a whole time with or without
// seconds in ISO 8601; or seconds since 1970 of at least nine digits. Shorter numbers might be
// years or dates, longer ones milliseconds: they are none.
std::optional<std::int64_t> policy_time(std::string_view text);

// An address, or a range with a prefix; IPv4 or IPv6. One of IPv4 within IPv6 is none: clients
// never have such.
bool is_address_range(std::string_view text);
bool in_address_range(std::string_view range, std::string_view address);

}  // namespace kiln::control
