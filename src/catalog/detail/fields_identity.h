// SPDX-License-Identifier: Apache-2.0
// The fields of accounts, keys, launch templates, roles and what goes with them; fields.h says how
// to read this. Thread model: pure functions.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>

#include "catalog/queries.h"

namespace kiln::catalog::detail {

// T is X or const X: one list serves reading and writing.
template <class T, class X>
concept Is = std::same_as<std::remove_const_t<T>, X>;

template <class V, Is<model::Membership> T>
void fields(V& v, T& x) {
    v.field("management", x.management);
    v.field("id", x.organization);
    v.field("units", x.units);
}

template <class V, Is<model::Account> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("administrator", x.administrator);
    v.column("created", x.created);
    v.field("name", x.name);
    v.field("alias", x.alias);
    v.field("organization", x.membership);
}

template <class V, Is<model::AccessKey> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("account", x.account);
    v.column("created", x.created);
    v.field("secret", x.secret);
    v.field("state", x.state);
    v.field("user", x.user);
}

template <class V, Is<model::MetadataDefaults> T>
void fields(V& v, T& x) {
    v.field("tokens_required", x.tokens_required);
    v.field("hop_limit", x.hop_limit);
    v.field("endpoint", x.endpoint_enabled);
    v.field("tags", x.instance_tags_enabled);
    v.field("enforced", x.tokens_enforced);
}

template <class V, Is<model::RegionSettings> T>
void fields(V& v, T& x) {
    v.derived("id", x.id());
    v.column("account", x.account);
    v.column("region", x.region);
    v.column("created", x.created);
    v.field("image_access", x.image_access);
    v.field("snapshot_access", x.snapshot_access);
    v.field("metadata", x.metadata);
    v.field("no_default_vpc", x.no_default_vpc);
    v.field("zone_groups", x.zone_groups);
    v.field("fast_restored", x.fast_restored);
    v.field("fast_launched", x.fast_launched);
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
    v.column("image", x.image);
    v.field("created_by", x.created_by);
    v.field("description", x.description);
    v.field("data", x.data);
}

template <class V, Is<model::Tag> T>
void fields(V& v, T& x) {
    v.field("key", x.key);
    v.field("value", x.value);
}

template <class V, Is<model::InlinePolicy> T>
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

template <class V, Is<model::User> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.column("created", x.created);
    v.field("path", x.path);
    v.field("policies", x.policies);
    v.field("tags", x.tags);
}

template <class V, Is<model::UsageResourceType> T>
void fields(V& v, T& x) {
    v.field("name", x.name);
    v.field("version_depth", x.version_depth);
}

template <class V, Is<model::UsageEntry> T>
void fields(V& v, T& x) {
    v.field("type", x.resource_type);
    v.field("account", x.account);
    v.field("count", x.count);
}

template <class V, Is<model::ImageUsageReport> T>
void fields(V& v, T& x) {
    v.column("id", x.id);
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("image", x.image_id);
    v.column("created", x.created);
    v.field("types", x.resource_types);
    v.field("accounts", x.accounts);
    v.field("state", x.state);
    v.field("reason", x.state_reason);
    v.field("expires", x.expires);
    v.field("entries", x.entries);
}

template <class V, Is<model::ParameterVersion> T>
void fields(V& v, T& x) {
    v.field("number", x.number);
    v.field("value", x.value);
    v.field("modified", x.modified);
}

template <class V, Is<model::StoredParameter> T>
void fields(V& v, T& x) {
    v.derived("id", x.id());
    v.column("region", x.region);
    v.column("owner", x.owner_id);
    v.column("name", x.name);
    v.derived("image", x.image());
    v.column("created", x.created);
    v.field("data_type", x.data_type);
    v.field("description", x.description);
    v.field("versions", x.versions);
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

template <class V, Is<model::ProfileAssociation> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("since", x.since);
}

template <class V, Is<model::InstanceProfileRef> T>
void fields(V& v, T& x) {
    v.field("id", x.id);
    v.field("arn", x.arn);
}

// The table of each kind of row.
template <class T>
inline constexpr std::string_view kTable = "";
template <>
inline constexpr std::string_view kTable<model::User> = "users";
template <>
inline constexpr std::string_view kTable<model::ImageUsageReport> = "image_usage_reports";
template <>
inline constexpr std::string_view kTable<model::StoredParameter> = "parameters";

}  // namespace kiln::catalog::detail
