// SPDX-License-Identifier: Apache-2.0
// Snapshots are shared, which stands in their document and in links; accounts choose things for a
// region. An older program would lose with whom a snapshot is shared.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0010Sharing = R"sql(
CREATE TABLE region_settings (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
)sql";

}  // namespace kiln::catalog::detail
