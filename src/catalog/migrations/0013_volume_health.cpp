// SPDX-License-Identifier: Apache-2.0
// Exchanged root volumes.
//
// Volumes say in their documents what they were copied from and what was found wrong with them,
// instances by which association they have their profile, settings of a region what launches get
// there: an older program would lose it.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0013VolumeHealth = R"sql(
CREATE TABLE replace_root_tasks (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    instance TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX replace_root_tasks_owner ON replace_root_tasks (region, owner, created, id);
CREATE INDEX replace_root_tasks_instance ON replace_root_tasks (instance);
)sql";

}  // namespace kiln::catalog::detail
