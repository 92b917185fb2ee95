// SPDX-License-Identifier: Apache-2.0
// The page parameters every paged Describe operation has. Thread model: pure functions.
#pragma once

#include <optional>
#include <string>

#include "api/context.h"
#include "control/pagination.h"

namespace kiln::api::ec2 {

template <class Request>
control::PageRequest page_of(const Context& context, const Request& request) {
    control::PageRequest page;
    if (request.max_results.has_value()) {
        page.max_results = *request.max_results;
    }
    page.next_token = request.next_token.value_or("");
    page.binding = context.request_hash;
    return page;
}

// PAG-1: the last page carries no token.
inline void set_token(std::optional<std::string>& to, const std::string& token) {
    if (!token.empty()) {
        to = token;
    }
}

}  // namespace kiln::api::ec2
