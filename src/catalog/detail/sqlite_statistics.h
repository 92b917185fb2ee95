// SPDX-License-Identifier: Apache-2.0
// What SQLite's planner is told about the sizes of things. SQLite gathers no statistics by itself;
// without any it takes "of this region" to be as good a condition as "with this tag", and a
// filtered list of 100,000 images takes a quarter of a second instead of one millisecond. Gathered
// ones would make plans depend on when they were gathered. So the planner gets fixed ones, those of
// a large catalog: what is good there is good enough in a small one.
//
// Thread model: pure functions over a session.
#pragma once

#include "catalog/detail/sql.h"

namespace kiln::catalog::detail {

// Writes them for every index there is, if they are not there yet; within the session's
// transaction. Afterwards, outside of it, load_statistics() makes this connection use them;
// connections opened later do so by themselves.
Status keep_statistics(SqlSession& session);
Status load_statistics(SqlSession& session);

}  // namespace kiln::catalog::detail
