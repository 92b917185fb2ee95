// SPDX-License-Identifier: Apache-2.0
// Launch templates and their versions.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0011LaunchTemplates = R"sql(
CREATE TABLE launch_templates (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX launch_templates_unique_name ON launch_templates (region, owner, name);
CREATE INDEX launch_templates_owner ON launch_templates (region, owner, created, id);
CREATE TABLE launch_template_versions (
    id TEXT NOT NULL PRIMARY KEY,
    template TEXT NOT NULL,
    number BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX launch_template_versions_number ON launch_template_versions (template, number);
CREATE INDEX launch_template_versions_order ON launch_template_versions (template, created, id);
)sql";

}  // namespace kiln::catalog::detail
