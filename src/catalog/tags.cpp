// SPDX-License-Identifier: Apache-2.0
#include "catalog/tags.h"

#include "catalog/detail/select.h"
#include "catalog/detail/sql.h"

namespace kiln::catalog {

namespace {

using namespace detail;

// Ids asked for in one statement; a page of a Describe has at most 1000.
constexpr std::size_t kIdsAtOnce = 1000;
constexpr std::string_view kColumns =
    "resource_id, account, region, resource_type, tag_key, tag_value";
constexpr std::string_view kOrder = " ORDER BY resource_id, account, tag_key";

Result<TagRecord> decode(const SqlRow& row) {
    TagRecord record;
    const bool good = row.size() == 6 && from_sql(row[0], record.target.resource_id) &&
                      from_sql(row[1], record.target.account) &&
                      from_sql(row[2], record.target.region) &&
                      from_sql(row[3], record.target.resource_type) &&
                      from_sql(row[4], record.tag.key) && from_sql(row[5], record.tag.value);
    if (!good) {
        return Error(Code::data_loss, "tags: a row is not readable");
    }
    return record;
}

Result<std::vector<TagRecord>> fetch(SqlSession& session, const Statement& statement) {
    TRY_ASSIGN(const std::vector<SqlRow> rows, session.query(statement));
    std::vector<TagRecord> records;
    records.reserve(rows.size());
    for (const SqlRow& row : rows) {
        TRY_ASSIGN(TagRecord record, decode(row));
        records.push_back(std::move(record));
    }
    return records;
}

}  // namespace

Status Tags::put(const TagTarget& target, const std::vector<model::Tag>& tags) {
    for (const model::Tag& tag : tags) {
        TRY(session_.execute(
            {"INSERT INTO tags (resource_id, account, region, resource_type, tag_key, tag_value) "
             "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (resource_id, account, tag_key) "
             "DO UPDATE SET tag_value = excluded.tag_value",
             {target.resource_id, target.account.str(), target.region, target.resource_type,
              tag.key, tag.value}}));
    }
    return ok();
}

Status Tags::remove(const model::AccountId& account, std::string_view resource_id,
                    std::string_view key, const std::optional<std::string>& value) {
    Statement statement{"DELETE FROM tags WHERE resource_id = ? AND account = ? AND tag_key = ?",
                        {std::string(resource_id), account.str(), std::string(key)}};
    if (value) {
        statement.sql += " AND tag_value = ?";
        statement.params.emplace_back(*value);
    }
    TRY(session_.execute(statement));
    return ok();
}

Status Tags::erase_resource(std::string_view resource_id) {
    TRY(session_.execute({"DELETE FROM tags WHERE resource_id = ?", {std::string(resource_id)}}));
    return ok();
}

Result<std::map<std::string, std::vector<model::Tag>>> Tags::of(
    const model::AccountId& account, const std::vector<std::string>& resource_ids) {
    std::map<std::string, std::vector<model::Tag>> found;
    for (std::size_t at = 0; at < resource_ids.size(); at += kIdsAtOnce) {
        const std::size_t end = std::min(at + kIdsAtOnce, resource_ids.size());
        TagQuery query;
        query.account = account;
        query.resource_ids.assign(resource_ids.begin() + static_cast<std::ptrdiff_t>(at),
                                  resource_ids.begin() + static_cast<std::ptrdiff_t>(end));
        TRY_ASSIGN(const std::vector<TagRecord> records, list(query));
        for (const TagRecord& record : records) {
            auto& tags = found[record.target.resource_id];
            // An id asked for twice may come again in a later statement.
            if (std::find(tags.begin(), tags.end(), record.tag) == tags.end()) {
                tags.push_back(record.tag);
            }
        }
    }
    return found;
}

Result<std::vector<TagRecord>> Tags::list(const TagQuery& query) {
    return fetch(session_, conditions(query).select(kColumns, "tags", kOrder));
}

Result<std::vector<TagRecord>> Tags::page(const model::AccountId& account, TagQuery query,
                                          const std::optional<TagCursor>& after,
                                          std::size_t limit) {
    query.account = account;
    return fetch(session_, tag_page(query, after, limit));
}

}  // namespace kiln::catalog
