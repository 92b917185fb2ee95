// SPDX-License-Identifier: Apache-2.0
// The check sum of a row (docs/formats/catalog.md): of the tables that lead to bytes, since SQLite
// notices a broken page and not a changed text. A row without one, or with another, is data_loss.
// Thread model: pure functions.
#pragma once

#include <span>
#include <string_view>

#include "catalog/detail/sql.h"

namespace kiln::catalog::detail {

// Of the table's name and the values of the columns in their order, `doc` included.
std::int64_t row_crc(std::string_view table, std::span<const SqlValue> values);

// data_loss, without saying which row, unless `stored` is the check sum.
Status check_row_crc(std::string_view table, std::span<const SqlValue> values,
                     const SqlValue& stored);

// Gives every row from before the check sums its own (migration 6).
Status fill_row_crcs(SqlSession& session);

}  // namespace kiln::catalog::detail
