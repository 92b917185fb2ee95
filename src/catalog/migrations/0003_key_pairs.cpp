// SPDX-License-Identifier: Apache-2.0
// Key pairs. Instances gain the field `public_key` in their document, which an older program would
// drop.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0003KeyPairs = R"sql(
CREATE TABLE key_pairs (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX key_pairs_unique_name ON key_pairs (region, owner, name);
CREATE INDEX key_pairs_owner ON key_pairs (region, owner, created, id);
)sql";

}  // namespace kiln::catalog::detail
