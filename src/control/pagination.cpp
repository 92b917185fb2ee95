// SPDX-License-Identifier: Apache-2.0
#include "control/pagination.h"

#include <fmt/format.h>

#include <tuple>

#include "control/api_errors.h"
#include "crypto/hash.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

// Enough of a hash that a token made for another request is never taken by chance.
constexpr std::size_t kBindingDigits = 16;

std::string binding_hash(const Caller& caller, const PageRequest& request) {
    const std::string text = caller.account.str() + '\n' + caller.region + '\n' + request.binding;
    return crypto::sha256_hex(as_bytes(text)).substr(0, kBindingDigits);
}

Error invalid_token() {
    return Error::api(Code::invalid_argument, "InvalidNextToken",
                      "The token is not valid for this request. Repeat the request without it.");
}

Result<catalog::Cursor> parse_token(const Caller& caller, const PageRequest& request) {
    const auto decoded = base64_decode(request.next_token);
    if (!decoded) {
        return invalid_token();
    }
    const auto parts = split(as_text(*decoded), ' ');
    if (parts.size() != 3 || parts[0] != binding_hash(caller, request)) {
        return invalid_token();
    }
    const auto created = parse_int<std::int64_t>(parts[1]);
    if (!created || parts[2].empty()) {
        return invalid_token();
    }
    return catalog::Cursor{UnixMillis{*created}, std::string(parts[2])};
}

}  // namespace

Result<PageStart> open_page(const Caller& caller, const PageRequest& request,
                            const PageLimits& limits) {
    PageStart start;
    if (request.max_results) {
        if (*request.max_results < limits.min) {
            return errors::invalid_parameter_value(
                fmt::format("Value ( {} ) for parameter maxResults is invalid. Expecting a value "
                            "greater than {}.",
                            *request.max_results, limits.min));
        }
        start.limit = static_cast<std::size_t>(std::min(*request.max_results, limits.max));
    }
    if (!request.next_token.empty()) {
        TRY_ASSIGN(start.after, parse_token(caller, request));
    }
    return start;
}

bool is_before(const catalog::Cursor& a, const catalog::Cursor& b) {
    return std::tie(a.created.value, a.id) < std::tie(b.created.value, b.id);
}

bool is_after(const catalog::Cursor& item, const PageStart& start) {
    return !start.after || is_before(*start.after, item);
}

std::string make_token(const Caller& caller, const PageRequest& request,
                       const catalog::Cursor& last) {
    return base64_encode(as_bytes(
        fmt::format("{} {} {}", binding_hash(caller, request), last.created.value, last.id)));
}

}  // namespace kiln::control
