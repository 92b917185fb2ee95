// SPDX-License-Identifier: Apache-2.0
// docs/formats/catalog.md describes these tables. BIGINT holds times in milliseconds and flags;
// texts compare by bytes.
#include "catalog/migrations/scripts.h"

namespace kiln::catalog::detail {

const std::string_view k0001Initial = R"sql(
CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    administrator BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);

CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX access_keys_account ON access_keys (account);

CREATE TABLE images (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    everybody BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE UNIQUE INDEX images_unique_name ON images (region, owner, name)
    WHERE state IN ('pending', 'available', 'disabled');
CREATE INDEX images_owner ON images (region, owner, created, id);
CREATE INDEX images_name ON images (region, name);
CREATE INDEX images_owner_name ON images (region, owner, name);
CREATE INDEX images_state ON images (region, state, created, id);
CREATE INDEX images_everybody ON images (region, created, id) WHERE everybody = 1;

CREATE TABLE snapshots (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    volume TEXT NOT NULL,
    content TEXT NOT NULL,
    cut TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX snapshots_owner ON snapshots (region, owner, created, id);
CREATE INDEX snapshots_state ON snapshots (state, created, id);
CREATE INDEX snapshots_volume ON snapshots (volume);
CREATE INDEX snapshots_content ON snapshots (content);
CREATE INDEX snapshots_cut ON snapshots (cut);

CREATE TABLE volumes (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    base_content TEXT NOT NULL,
    active_layer TEXT NOT NULL,
    instance TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX volumes_owner ON volumes (region, owner, created, id);
CREATE INDEX volumes_state ON volumes (state, created, id);
CREATE INDEX volumes_instance ON volumes (instance);
CREATE INDEX volumes_snapshot ON volumes (snapshot);
CREATE INDEX volumes_base_content ON volumes (base_content);
CREATE INDEX volumes_active_layer ON volumes (active_layer);

CREATE TABLE instances (
    id TEXT NOT NULL PRIMARY KEY,
    region TEXT NOT NULL,
    owner TEXT NOT NULL,
    reservation TEXT NOT NULL,
    state TEXT NOT NULL,
    image TEXT NOT NULL,
    subnet TEXT NOT NULL,
    private_ip TEXT NOT NULL,
    terminated BIGINT,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX instances_owner ON instances (region, owner, created, id);
CREATE INDEX instances_state ON instances (state, created, id);
CREATE INDEX instances_reservation ON instances (reservation);
CREATE INDEX instances_image ON instances (image);
CREATE INDEX instances_subnet ON instances (subnet, private_ip);
CREATE UNIQUE INDEX instances_unique_address ON instances (subnet, private_ip)
    WHERE private_ip <> '';

CREATE TABLE contents (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    parent TEXT NOT NULL,
    layer TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX contents_state ON contents (state, created, id);
CREATE INDEX contents_parent ON contents (parent);
CREATE INDEX contents_layer ON contents (layer);

CREATE TABLE layers (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX layers_state ON layers (state, created, id);

CREATE TABLE links (
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (kind, target, source)
);
CREATE INDEX links_source ON links (source);

CREATE TABLE tags (
    resource_id TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (resource_id, account, tag_key)
);
CREATE INDEX tags_key ON tags (account, tag_key, tag_value, resource_id);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    scope TEXT NOT NULL,
    action TEXT NOT NULL,
    token TEXT NOT NULL,
    result TEXT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (account, scope, action, token)
);
CREATE INDEX tokens_result ON tokens (result);
CREATE INDEX tokens_created ON tokens (created, id);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    lease_owner TEXT NOT NULL,
    lease_until BIGINT,
    lease_epoch BIGINT NOT NULL,
    woken BIGINT NOT NULL,
    created BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX jobs_due ON jobs (not_before, created, id);
CREATE INDEX jobs_subject ON jobs (subject);
CREATE INDEX jobs_lease_owner ON jobs (lease_owner);
)sql";

}  // namespace kiln::catalog::detail
