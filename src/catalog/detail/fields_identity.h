// SPDX-License-Identifier: Apache-2.0
// The fields of accounts, keys, launch templates, roles and what goes with them; fields.h says how
// to read this. Thread model: pure functions.
#pragma once

#include <concepts>
#include <type_traits>

#include "catalog/queries.h"

namespace kiln::catalog::detail {

// T is X or const X: one list serves reading and writing.
template <class T, class X>
concept Is = std::same_as<std::remove_const_t<T>, X>;

template <class V, Is<model::Account> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("administrator", x.administrator);
    v.column("created", x.created);
    v.field("name", x.name);
    v.field("alias", x.alias);
}

template <class V, Is<model::AccessKey> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("account", x.account);
    v.column("created", x.created);
    v.field("secret", x.secret);
    v.field("state", x.state);
}

template <class V, Is<model::RegionSettings> T>
void fields(V& v, T& x) {
    v.derived("id", x.id());
    v.column("account", x.account);
    v.column("region", x.region);
    v.column("created", x.created);
    v.field("image_access", x.image_access);
    v.field("snapshot_access", x.snapshot_access);
    v.field("no_default_vpc", x.no_default_vpc);
}

template <class V, Is<model::KeyPair> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("created", x.created);
    v.field("type", x.type);
    v.field("fingerprint", x.fingerprint);
    v.field("public_key", x.public_key);
}

template <class V, Is<model::LaunchTemplate> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("created", x.created);
    v.field("created_by", x.created_by);
    v.field("default", x.default_version);
    v.field("latest", x.latest_version);
    v.field("last", x.last_number);
    v.field("count", x.version_count);
}

template <class V, Is<model::LaunchTemplateVersion> T>
void fields(V& v, T& x) {
    v.derived("id", x.id());
    v.column("template", x.template_id);
    v.column("number", x.number);
    v.column("created", x.created);
    v.field("created_by", x.created_by);
    v.field("description", x.description);
    v.field("data", x.data);
}

template <class V, Is<model::Tag> T>
void fields(V& v, T& x) {
    v.field("key", x.key);
    v.field("value", x.value);
}

template <class V, Is<model::RolePolicy> T>
void fields(V& v, T& x) {
    v.field("name", x.name);
    v.field("document", x.document);
}

template <class V, Is<model::Role> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("created", x.created);
    v.field("path", x.path);
    v.field("description", x.description);
    v.field("max_session_s", x.max_session_s);
    v.field("trust", x.trust_policy);
    v.field("policies", x.policies);
    v.field("tags", x.tags);
}

template <class V, Is<model::InstanceProfile> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("role", x.role_id);
    v.column("created", x.created);
    v.field("path", x.path);
    v.field("tags", x.tags);
}

template <class V, Is<model::InstanceProfileRef> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("arn", x.arn);
}

}  // namespace kiln::catalog::detail
