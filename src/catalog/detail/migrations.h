// SPDX-License-Identifier: Apache-2.0
// Migrations: how the schema came to be, one numbered script after the other. A released script
// never changes; what it misses goes into the next. The number of the last one that ran stands in
// meta under "schema".
//
// A store with a higher number than this program knows is refused: a newer program may keep things
// there that this one would not keep up.
#pragma once

#include <span>
#include <string_view>

#include "catalog/detail/sql.h"
#include "util/result.h"

namespace kiln::catalog::detail {

struct Migration {
    int number;
    std::string_view name;
    std::string_view sql;
    // What the script cannot say, after it.
    Status (*then)(SqlSession& session) = nullptr;
};

std::span<const Migration> migrations();

// Brings the schema up to date within the session's transaction; runs only what is missing, in
// order.
Status migrate(SqlSession& session, std::span<const Migration> steps);

}  // namespace kiln::catalog::detail
