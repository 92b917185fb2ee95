// SPDX-License-Identifier: Apache-2.0
// docs/formats/catalog.md describes these tables.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0004Network = R"sql(
CREATE TABLE vpcs (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    is_default BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX vpcs_owner ON vpcs (region, owner, created, id);
CREATE UNIQUE INDEX vpcs_unique_default ON vpcs (region, owner) WHERE is_default = 1;

CREATE TABLE subnets (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    vpc TEXT NOT NULL,
    cidr TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (vpc, cidr)
);
CREATE INDEX subnets_owner ON subnets (region, owner, created, id);

CREATE TABLE security_groups (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    vpc TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (vpc, name)
);
CREATE INDEX security_groups_owner ON security_groups (region, owner, created, id);
)sql";

}  // namespace kiln::catalog::detail
