// SPDX-License-Identifier: Apache-2.0
// Snapshots whose blocks are being put one by one, and those blocks.
//
// Volumes and snapshots say which lineage they are of, in their documents: an older program would
// lose it.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0012BlockUploads = R"sql(
CREATE TABLE block_uploads (
    snapshot TEXT NOT NULL PRIMARY KEY,
    parent TEXT NOT NULL,
    timeout BIGINT NOT NULL,
    active BIGINT NOT NULL,
    completing BIGINT NOT NULL
);

CREATE TABLE uploaded_blocks (
    snapshot TEXT NOT NULL,
    block BIGINT NOT NULL,
    digest BYTEA,
    writing BYTEA,
    PRIMARY KEY (snapshot, block)
) WITHOUT ROWID;
)sql";

}  // namespace kiln::catalog::detail
