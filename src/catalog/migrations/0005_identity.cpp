// SPDX-License-Identifier: Apache-2.0
// Roles and instance profiles. Instances gain the field `profile` in their document, which an older
// program would drop.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0005Identity = R"sql(
CREATE TABLE roles (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX roles_unique_name ON roles (owner, lower(name));
CREATE INDEX roles_name ON roles (owner, name);

CREATE TABLE instance_profiles (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX instance_profiles_unique_name ON instance_profiles (owner, lower(name));
CREATE INDEX instance_profiles_name ON instance_profiles (owner, name);
CREATE INDEX instance_profiles_role ON instance_profiles (role);
)sql";

}  // namespace kiln::catalog::detail
