// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/select.h"

namespace kiln::catalog::detail {

namespace {

constexpr std::string_view kLinked =
    "id IN (SELECT source FROM links WHERE kind = ? AND target = ?)";
// Sorts after every text that begins with what stands before it.
constexpr std::string_view kLastCharacter = "\xF4\x8F\xBF\xBF";

}  // namespace

void Conditions::add(std::string_view condition) {
    where_ += where_.empty() ? " WHERE " : " AND ";
    where_ += condition;
}

void Conditions::raw(std::string_view text, std::vector<SqlValue> params) {
    add(text);
    std::move(params.begin(), params.end(), std::back_inserter(params_));
}

std::string Conditions::in(std::string_view column, std::size_t count) {
    std::string text = std::string(column) + " IN (?";
    for (std::size_t i = 1; i < count; ++i) {
        text += ",?";
    }
    return text + ")";
}

void Conditions::before(std::string_view column, const std::optional<UnixMillis>& time) {
    if (time) {
        raw(std::string(column) + " < ?", {to_sql(*time)});
    }
}

// A range instead of LIKE, so that an index on the column serves.
void Conditions::prefix(std::string_view column, const std::string& value) {
    if (!value.empty()) {
        raw(std::string(column) + " >= ?", {value});
        raw(std::string(column) + " < ?", {value + std::string(kLastCharacter)});
    }
}

void Conditions::link(std::string_view kind, const std::string& target) {
    raw(kLinked, {std::string(kind), target});
}

void Conditions::either(const std::vector<Statement>& alternatives) {
    std::string text;
    std::vector<SqlValue> params;
    for (const Statement& alternative : alternatives) {
        text += (text.empty() ? "(" : " OR ") + alternative.sql;
        params.insert(params.end(), alternative.params.begin(), alternative.params.end());
    }
    if (!text.empty()) {
        raw(text + ")", std::move(params));
    }
}

void Conditions::tags(const std::vector<TagCondition>& conditions) {
    for (const TagCondition& tag : conditions) {
        std::string text = "id IN (SELECT resource_id FROM tags WHERE account = ? AND tag_key = ?";
        std::vector<SqlValue> params{to_sql(tag.account), to_sql(tag.key)};
        if (!tag.values.empty()) {
            text += " AND " + in("tag_value", tag.values.size());
            params.insert(params.end(), tag.values.begin(), tag.values.end());
        }
        raw(text + ")", std::move(params));
    }
}

Statement Conditions::page(std::string_view columns, std::string_view table, const Page& page) && {
    if (page.after) {
        raw(page.newest_first ? "(created, id) < (?, ?)" : "(created, id) > (?, ?)",
            {to_sql(page.after->created), page.after->id});
    }
    std::string tail =
        page.newest_first ? " ORDER BY created DESC, id DESC" : " ORDER BY created, id";
    if (page.limit != 0) {
        tail += " LIMIT " + std::to_string(page.limit);
    }
    return std::move(*this).select(columns, table, tail);
}

Statement Conditions::select(std::string_view columns, std::string_view table,
                             std::string_view tail) && {
    std::string sql = "SELECT ";
    sql.append(columns).append(" FROM ").append(table).append(where_).append(tail);
    return Statement{std::move(sql), std::move(params_)};
}

namespace {

// Which rows, of which region, of whom: what is asked of everything that an account has there.
template <class Query>
Conditions of_owner(const Query& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.text("region", query.region);
    where.any_of("owner", query.owners);
    return where;
}

}  // namespace

Conditions conditions(const AccountQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.equal("administrator", query.administrator);
    return where;
}

Conditions conditions(const AccessKeyQuery& query) {
    Conditions where;
    where.equal("account", query.account);
    return where;
}

namespace {

template <class T>
Statement one_of(std::string_view before, const std::vector<T>& values, std::string_view after) {
    Statement statement{std::string(before) + "(?", {to_sql(values[0])}};
    for (std::size_t i = 1; i < values.size(); ++i) {
        statement.sql += ",?";
        statement.params.push_back(to_sql(values[i]));
    }
    statement.sql.append(")").append(after);
    return statement;
}

// What has a link of this kind to one of these.
template <class T>
Statement linked_to_one_of(std::string_view kind, const std::vector<T>& targets) {
    return one_of(
        "id IN (SELECT source FROM links WHERE kind = '" + std::string(kind) + "' AND target IN ",
        targets, ")");
}

// DI-2
std::vector<Statement> either_owner(const ImageQuery& query) {
    std::vector<Statement> either{linked_to_one_of("image.owner_alias", query.owner_aliases)};
    if (!query.owners.empty()) {
        either.push_back(one_of("owner IN ", query.owners, ""));
    }
    return either;
}

constexpr std::string_view kPublicSnapshot =
    "id IN (SELECT source FROM links WHERE kind = 'snapshot.volume_group' AND target = 'all')";

constexpr std::string_view kThrough = "image.launch_organization";

// DI-3, SNP-13. `kind` is of the links to accounts, `everybody` what is true of a public one.
template <class Query>
std::vector<Statement> either_permission(const Query& query, std::string_view kind,
                                         std::string_view everybody) {
    std::vector<Statement> either;
    if (!query.shared_with.empty()) {
        either.push_back(linked_to_one_of(kind, query.shared_with));
    }
    if constexpr (requires { query.shared_with_organizations; }) {
        if (!query.shared_with_organizations.empty()) {
            either.push_back(linked_to_one_of(kThrough, query.shared_with_organizations));
        }
    }
    if (query.or_shared_with_all) {
        either.push_back({std::string(everybody), {}});
    }
    return either;
}

void add_visible(Conditions& where, const std::optional<model::AccountId>& account,
                 const std::vector<std::string>& through, std::string_view kind,
                 std::string_view everybody) {
    if (!account) {
        return;
    }
    std::vector<Statement> either{{"owner = ?", {account->str()}},
                                  {std::string(everybody), {}},
                                  {std::string(kLinked), {std::string(kind), account->str()}}};
    if (!through.empty()) {
        either.push_back(linked_to_one_of(kThrough, through));
    }
    where.either(either);
}

}  // namespace

Conditions conditions(const ImageQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.text("region", query.region);
    if (query.owner_aliases.empty()) {
        where.any_of("owner", query.owners);
    } else {
        where.either(either_owner(query));
    }
    where.any_of("state", query.states);
    where.any_of("name", query.names);
    where.prefix("name", query.name_prefix);
    where.equal("everybody", query.everybody);
    add_visible(where, query.visible_to, query.visible_through, "image.launch_account",
                "everybody = 1");
    where.either(either_permission(query, "image.launch_account", "everybody = 1"));
    if (query.uses_snapshot) {
        where.link("image.snapshot", query.uses_snapshot->str());
    }
    where.tags(query.tags);
    return where;
}

Conditions conditions(const SnapshotQuery& query) {
    Conditions where = of_owner(query);
    where.any_of("state", query.states);
    where.any_of("volume", query.volumes);
    where.equal("content", query.content);
    where.equal("cut", query.set);
    add_visible(where, query.visible_to, {}, "snapshot.volume_account", kPublicSnapshot);
    where.either(either_permission(query, "snapshot.volume_account", kPublicSnapshot));
    where.tags(query.tags);
    return where;
}

Conditions conditions(const VolumeQuery& query) {
    Conditions where = of_owner(query);
    where.any_of("state", query.states);
    if (!query.attached_to.empty()) {
        where.either({linked_to_one_of("volume.instance", query.attached_to)});
    }
    where.any_of("snapshot", query.snapshots);
    where.equal("base_content", query.base_content);
    where.equal("active_layer", query.active_layer);
    where.tags(query.tags);
    return where;
}

Conditions conditions(const InstanceQuery& query) {
    Conditions where = of_owner(query);
    where.any_of("state", query.states);
    where.any_of("reservation", query.reservations);
    where.any_of("image", query.images);
    where.equal("subnet", query.subnet);
    where.text("private_ip", query.private_ip);
    where.before("terminated", query.terminated_before);
    where.tags(query.tags);
    return where;
}

Conditions conditions(const ReplaceRootTaskQuery& query) {
    Conditions where = of_owner(query);
    where.equal("instance", query.instance);
    where.any_of("state", query.states);
    return where;
}

Conditions conditions(const KeyPairQuery& query) {
    Conditions where = of_owner(query);
    where.any_of("name", query.names);
    where.tags(query.tags);
    return where;
}

Conditions conditions(const RegionSettingsQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.any_of("account", query.accounts);
    return where;
}

Conditions conditions(const LaunchTemplateQuery& query) {
    Conditions where = of_owner(query);
    where.any_of("name", query.names);
    return where;
}

Conditions conditions(const LaunchTemplateVersionQuery& query) {
    Conditions where;
    where.equal("template", query.of);
    where.any_of("number", query.numbers);
    if (query.lowest) {
        where.raw("number >= ?", {*query.lowest});
    }
    if (query.highest) {
        where.raw("number <= ?", {*query.highest});
    }
    where.equal("image", query.image);
    return where;
}

Conditions conditions(const RoleQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.any_of("owner", query.owners);
    where.any_of("name", query.names);
    return where;
}

Conditions conditions(const InstanceProfileQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.any_of("owner", query.owners);
    where.any_of("name", query.names);
    where.equal("role", query.role);
    return where;
}

Conditions conditions(const VpcQuery& query) {
    Conditions where = of_owner(query);
    where.equal("is_default", query.is_default);
    return where;
}

Conditions conditions(const SubnetQuery& query) {
    Conditions where = of_owner(query);
    where.equal("vpc", query.vpc);
    return where;
}

Conditions conditions(const SecurityGroupQuery& query) {
    Conditions where = of_owner(query);
    where.equal("vpc", query.vpc);
    where.any_of("name", query.names);
    return where;
}

Conditions conditions(const ContentQuery& query) {
    Conditions where;
    where.any_of("id", query.ids);
    where.any_of("state", query.states);
    where.equal("parent", query.parent);
    where.equal("layer", query.layer);
    if (query.spare) {
        where.link("content.spare", query.spare->str());
    }
    return where;
}

Conditions conditions(const LayerQuery& query) {
    Conditions where;
    where.any_of("state", query.states);
    return where;
}

Conditions conditions(const TokenQuery& query) {
    Conditions where;
    where.text("action", query.action);
    where.text("result", query.result);
    where.before("created", query.created_before);
    return where;
}

Conditions conditions(const JobQuery& query) {
    Conditions where;
    where.any_of("kind", query.kinds);
    where.text("subject", query.subject);
    return where;
}

Conditions conditions(const TagQuery& query) {
    Conditions where;
    where.equal("account", query.account);
    where.text("region", query.region);
    where.any_of("resource_id", query.resource_ids);
    where.any_of("resource_type", query.resource_types);
    where.any_of("tag_key", query.keys);
    where.any_of("tag_value", query.values);
    return where;
}

Statement tag_page(const TagQuery& query, const std::optional<TagCursor>& after,
                   std::size_t limit) {
    Conditions where = conditions(query);
    if (after) {
        where.raw("(tag_key, tag_value, resource_id) > (?, ?, ?)",
                  {after->key, after->value, after->resource_id});
    }
    std::string tail = " ORDER BY tag_key, tag_value, resource_id";
    if (limit != 0) {
        tail += " LIMIT " + std::to_string(limit);
    }
    return std::move(where).select(
        "resource_id, account, region, resource_type, tag_key, tag_value", "tags", tail);
}

}  // namespace kiln::catalog::detail
