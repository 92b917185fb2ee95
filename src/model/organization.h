// SPDX-License-Identifier: Apache-2.0
// Organizations: an account may be in one, directly or in a unit of it, and units are in units. The
// service keeps of an organization only what its accounts say: an image that is shared with an
// organization or a unit names it by ARN, and an account is in all that arns_of() lists.
// Thread model: plain values and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "util/result.h"

namespace kiln::model {

struct Membership {
    AccountId management;            // the account that manages the organization
    std::string organization;        // "o-..."
    std::vector<std::string> units;  // "ou-...", the outermost first; none: in the root
    friend bool operator==(const Membership&, const Membership&) = default;
};

inline constexpr std::size_t kMaxUnits = 5;  // nesting, as AWS has it

// "o-" and 10 to 32 lower-case letters and digits.
bool is_organization_id(std::string_view text);
// "ou-", 4 to 32 such characters, a hyphen and 8 to 32.
bool is_unit_id(std::string_view text);

// arn:aws:organizations::ACCOUNT:organization/o-...
bool is_organization_arn(std::string_view text);
// arn:aws:organizations::ACCOUNT:ou/o-.../ou-...
bool is_unit_arn(std::string_view text);

// The organization and every unit around the account.
std::vector<std::string> arns_of(const Membership& membership);

// From texts: `units` is "" or "ou-.../ou-...". InvalidParameterValue, which says what is wrong.
Result<Membership> parse_membership(const std::string& management, const std::string& organization,
                                    const std::string& units);
std::string unit_path(const Membership& membership);

}  // namespace kiln::model
