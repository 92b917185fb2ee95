// SPDX-License-Identifier: Apache-2.0
// Accounts are in organizations, and images are shared with those, in their documents and in links;
// keys may be a user's: an older program would lose all three. Users, usage reports of images, and
// parameters. Versions of launch templates say in a column of their own which image they name.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0014Relations = R"sql(
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX users_unique_name ON users (owner, lower(name));
CREATE INDEX users_name ON users (owner, name);

CREATE TABLE image_usage_reports (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    image TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX image_usage_reports_owner ON image_usage_reports (region, owner, created, id);
CREATE INDEX image_usage_reports_image ON image_usage_reports (image);

CREATE TABLE parameters (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    image TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX parameters_name ON parameters (region, owner, name);
CREATE INDEX parameters_image ON parameters (image);

ALTER TABLE launch_template_versions ADD COLUMN image TEXT NOT NULL DEFAULT '';
UPDATE launch_template_versions
SET image = COALESCE(json_extract(json_extract(doc, '$.data'), '$.ImageId'), '');
CREATE INDEX launch_template_versions_image ON launch_template_versions (image);
)sql";

}  // namespace kiln::catalog::detail
