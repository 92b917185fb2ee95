// SPDX-License-Identifier: Apache-2.0
// The packs of the image tier and the chunk index. BYTEA is PostgreSQL's byte string; SQLite takes
// any name and stores what it is given. WITHOUT ROWID is SQLite's alone: the entries lie in the
// order of their key, without a second copy of it.
//
// Layers gain the state `planned`: no file yet. Rows from before were made on first use, so they
// say so now.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0002Packs = R"sql(
CREATE TABLE packs (
    number BIGINT NOT NULL PRIMARY KEY,
    id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    domain BYTEA NOT NULL,
    state TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    created BIGINT NOT NULL,
    trashed BIGINT
);
CREATE UNIQUE INDEX packs_unique_id ON packs (id);
CREATE INDEX packs_state ON packs (state, number);

CREATE TABLE chunks (
    id BYTEA NOT NULL,
    pack BIGINT NOT NULL,
    place BIGINT NOT NULL,
    stored_bytes BIGINT NOT NULL,
    plain_bytes BIGINT NOT NULL,
    type BIGINT NOT NULL,
    codec BIGINT NOT NULL,
    encryption BIGINT NOT NULL,
    PRIMARY KEY (id, pack)
) WITHOUT ROWID;
CREATE INDEX chunks_pack ON chunks (pack);

UPDATE layers SET state = 'planned' WHERE state = 'open';
)sql";

}  // namespace kiln::catalog::detail
