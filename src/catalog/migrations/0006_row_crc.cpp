// SPDX-License-Identifier: Apache-2.0
// Check sums of the rows that lead to bytes (detail/row_crc.h), which fill_row_crcs() then computes
// for the rows there are. An older program would write rows without them.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0006RowCrc = R"sql(
ALTER TABLE snapshots ADD COLUMN crc BIGINT;
ALTER TABLE contents ADD COLUMN crc BIGINT;
ALTER TABLE layers ADD COLUMN crc BIGINT;
ALTER TABLE packs ADD COLUMN crc BIGINT;
)sql";

}  // namespace kiln::catalog::detail
