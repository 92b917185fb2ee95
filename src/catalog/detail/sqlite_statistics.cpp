// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/sqlite_statistics.h"

#include <map>

namespace kiln::catalog::detail {

namespace {

constexpr std::int64_t kRows = 100'000;

// How many different values a column has in a large catalog. Columns that are not here name one
// thing, or one instant.
std::int64_t distinct_values(const std::string& column) {
    static const std::map<std::string, std::int64_t, std::less<>> kFew = {
        {"region", 2}, {"owner", 50}, {"account", 50}, {"state", 5},        {"scope", 5},
        {"action", 5}, {"kind", 10},  {"tag_key", 10}, {"lease_owner", 20}, {"resource_type", 5},
    };
    const auto found = kFew.find(column);
    return found == kFew.end() ? 20'000 : found->second;
}

struct Index {
    std::string table;
    std::vector<std::string> columns;
};

// In SQLite's form: the number of rows, then for each leading column how many rows share its value
// and those before it.
std::string statistics(const Index& index) {
    std::string text = std::to_string(kRows);
    std::int64_t rows = kRows;
    for (const std::string& column : index.columns) {
        rows = std::max<std::int64_t>(rows / distinct_values(column), 1);
        text += " " + std::to_string(column == "id" ? 1 : rows);
    }
    return text;
}

std::string text_at(const SqlRow& row, std::size_t column) {
    const auto* text = std::get_if<std::string>(&row[column]);
    return text == nullptr ? std::string() : *text;
}

Result<std::map<std::string, Index>> indexes(SqlSession& session) {
    TRY_ASSIGN(const auto rows,
               session.query({"SELECT m.name, m.tbl_name, i.name FROM sqlite_master AS m, "
                              "pragma_index_info(m.name) AS i WHERE m.type = 'index' "
                              "ORDER BY m.name, i.seqno",
                              {}}));
    std::map<std::string, Index> found;
    for (const SqlRow& row : rows) {
        Index& index = found[text_at(row, 0)];
        index.table = text_at(row, 1);
        index.columns.push_back(text_at(row, 2));
    }
    return found;
}

// The statistics that are there, by index.
Result<std::map<std::string, std::string>> stored(SqlSession& session) {
    // SQLite alone can make the table; of a single small one, so that nothing large is read.
    TRY_ASSIGN(const auto tables,
               session.query({"SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'", {}}));
    if (tables.empty()) {
        TRY(session.script("ANALYZE meta;"));
    }
    TRY_ASSIGN(const auto rows, session.query({"SELECT idx, stat FROM sqlite_stat1", {}}));
    std::map<std::string, std::string> found;
    for (const SqlRow& row : rows) {
        found[text_at(row, 0)] = text_at(row, 1);
    }
    return found;
}

}  // namespace

Status keep_statistics(SqlSession& session) {
    TRY_ASSIGN(const auto all, indexes(session));
    TRY_ASSIGN(const auto before, stored(session));
    std::map<std::string, std::string> wanted;
    for (const auto& [name, index] : all) {
        wanted[name] = statistics(index);
    }
    if (before == wanted) {
        return ok();
    }
    TRY(session.execute({"DELETE FROM sqlite_stat1", {}}));
    for (const auto& [name, text] : wanted) {
        TRY(session.execute({"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)",
                             {all.at(name).table, name, text}}));
    }
    return ok();
}

Status load_statistics(SqlSession& session) {
    return session.script("ANALYZE sqlite_schema;");
}

}  // namespace kiln::catalog::detail
