// SPDX-License-Identifier: Apache-2.0
#include "catalog/repository.h"

#include "catalog/detail/codec.h"
#include "catalog/detail/fields.h"
#include "catalog/detail/row_crc.h"
#include "catalog/detail/select.h"

namespace kiln::catalog {

namespace {

using namespace detail;

std::string joined(const std::vector<std::string>& names, std::string_view after) {
    std::string text;
    for (const std::string& name : names) {
        text += (text.empty() ? "" : ", ") + name;
        text += after;
    }
    return text;
}

template <class T>
std::string name_of(const std::string& id) {
    return std::string(kTable<T>) + ": '" + id + "'";
}

// D9: what leads to bytes has a check sum over the row.
template <class T>
constexpr bool kGuarded = std::same_as<T, model::Snapshot> || std::same_as<T, model::Content> ||
                          std::same_as<T, model::LayerRecord>;

template <class T>
std::string columns_of() {
    RowWriter writer;
    fields(writer, std::as_const(static_cast<const T&>(T{})));
    return joined(writer.names(), "") + ", doc" + (kGuarded<T> ? ", crc" : "");
}

// All that stands in a row, and its links.
struct WholeRow {
    std::vector<std::string> names;
    std::vector<SqlValue> values;
    std::vector<Link> links;
};

template <class T>
Result<WholeRow> whole_row(const T& value) {
    RowWriter writer;
    fields(writer, value);
    WholeRow row{writer.names(), std::move(writer.values()), writer.links()};
    TRY_ASSIGN(std::string document, to_json(writer.take()));
    row.names.emplace_back("doc");
    row.values.emplace_back(std::move(document));
    if constexpr (kGuarded<T>) {
        const std::int64_t crc = row_crc(kTable<T>, row.values);
        row.names.emplace_back("crc");
        row.values.emplace_back(crc);
    }
    return row;
}

template <class T>
Result<T> decode_row(SqlRow row) {
    const std::string name = std::string(kTable<T>) + ": row " +
                             (row.empty() || !std::holds_alternative<std::string>(row[0])
                                  ? ""
                                  : std::get<std::string>(row[0]));
    if constexpr (kGuarded<T>) {
        const SqlValue crc = row.empty() ? SqlValue() : std::move(row.back());
        row.resize(row.empty() ? 0 : row.size() - 1);
        TRY(check_row_crc(kTable<T>, row, crc), name);
    }
    const auto* text = row.empty() ? nullptr : std::get_if<std::string>(&row.back());
    if (text == nullptr) {
        return Error(Code::data_loss, name + " has no document");
    }
    TRY_ASSIGN(const Document document, from_json(*text), name);
    T value;
    RowReader reader(row, document);
    fields(reader, value);
    if (!reader.ok()) {
        return Error(Code::data_loss, name + " is not readable");
    }
    return value;
}

// The links of a row are replaced as a whole.
Status write_links(SqlSession& session, const std::string& id, const std::vector<Link>& links) {
    for (const Link& link : links) {
        TRY(
            session.execute({"INSERT INTO links (kind, target, source) VALUES (?, ?, ?) "
                             "ON CONFLICT DO NOTHING",
                             {link.kind, link.target, id}}));
    }
    return ok();
}
Status erase_links(SqlSession& session, const std::string& id) {
    TRY(session.execute({"DELETE FROM links WHERE source = ?", {id}}));
    return ok();
}

// The others save the statement.
template <class T>
constexpr bool kHasLinks = std::same_as<T, model::Image> || std::same_as<T, model::Snapshot> ||
                           std::same_as<T, model::Volume> || std::same_as<T, model::Content>;

// What a database takes as parameters of one statement has an end.
template <class T>
Status check_values(const Statement& statement) {
    return statement.params.size() <= kMaxQueryValues
               ? ok()
               : Status(Error(Code::invalid_argument,
                              std::string(kTable<T>) + ": the query has too many values"));
}

std::string id_text(const auto& value) {
    if constexpr (requires { value.id(); }) {
        return value.id().str();
    } else {
        return value.id.str();
    }
}

}  // namespace

template <class T>
Status Repository<T>::insert(const T& value) {
    const std::string id = id_text(value);
    TRY_ASSIGN(WholeRow row, whole_row(value), name_of<T>(id));
    std::string marks = "?";
    for (std::size_t i = 1; i < row.names.size(); ++i) {
        marks += ", ?";
    }
    // Without ON CONFLICT a taken key would lose the whole transaction on PostgreSQL.
    TRY_ASSIGN(
        const std::size_t inserted,
        session_.execute({"INSERT INTO " + std::string(kTable<T>) + " (" + joined(row.names, "") +
                              ") VALUES (" + marks + ") ON CONFLICT DO NOTHING",
                          std::move(row.values)}),
        name_of<T>(id));
    if (inserted == 0) {
        return Error(Code::already_exists, name_of<T>(id) + " or a name of it is taken");
    }
    return write_links(session_, id, row.links);
}

template <class T>
Result<std::optional<T>> Repository<T>::find(const Id& id) {
    Conditions where;
    where.equal("id", id);
    TRY_ASSIGN(std::vector<SqlRow> rows,
               session_.query(std::move(where).select(columns_of<T>(), kTable<T>, "")),
               name_of<T>(id.str()));
    if (rows.empty()) {
        return std::optional<T>();
    }
    TRY_ASSIGN(T value, decode_row<T>(std::move(rows[0])));
    return std::optional<T>(std::move(value));
}

template <class T>
Result<T> Repository<T>::get(const Id& id) {
    TRY_ASSIGN(std::optional<T> found, find(id));
    if (!found) {
        return Error(Code::not_found, name_of<T>(id.str()) + " does not exist");
    }
    return std::move(*found);
}

template <class T>
Status Repository<T>::update(const T& value) {
    const std::string id = id_text(value);
    TRY_ASSIGN(WholeRow row, whole_row(value), name_of<T>(id));
    std::vector<SqlValue> params = std::move(row.values);
    params.emplace_back(id);
    TRY_ASSIGN(const std::size_t changed,
               session_.execute({"UPDATE " + std::string(kTable<T>) + " SET " +
                                     joined(row.names, " = ?") + " WHERE id = ?",
                                 std::move(params)}),
               name_of<T>(id));
    if (changed == 0) {
        return Error(Code::not_found, name_of<T>(id) + " does not exist");
    }
    if constexpr (kHasLinks<T>) {
        TRY(erase_links(session_, id));
    }
    return write_links(session_, id, row.links);
}

template <class T>
Status Repository<T>::erase(const Id& id) {
    TRY_ASSIGN(
        const std::size_t erased,
        session_.execute({"DELETE FROM " + std::string(kTable<T>) + " WHERE id = ?", {id.str()}}),
        name_of<T>(id.str()));
    if (erased == 0) {
        return Error(Code::not_found, name_of<T>(id.str()) + " does not exist");
    }
    if constexpr (kHasLinks<T>) {
        TRY(erase_links(session_, id.str()));
    }
    return ok();
}

template <class T>
Result<std::vector<T>> Repository<T>::list(const Query& query) {
    const Statement statement = conditions(query).page(columns_of<T>(), kTable<T>, query.page);
    TRY(check_values<T>(statement));
    TRY_ASSIGN(std::vector<SqlRow> rows, session_.query(statement), kTable<T>);
    std::vector<T> values;
    values.reserve(rows.size());
    for (SqlRow& row : rows) {
        TRY_ASSIGN(T value, decode_row<T>(std::move(row)));
        values.push_back(std::move(value));
    }
    return values;
}

template <class T>
Result<std::uint64_t> Repository<T>::count(const Query& query) {
    const Statement statement = conditions(query).select("COUNT(*)", kTable<T>, "");
    TRY(check_values<T>(statement));
    TRY_ASSIGN(const std::vector<SqlRow> rows, session_.query(statement), kTable<T>);
    std::uint64_t number = 0;
    if (rows.size() != 1 || rows[0].size() != 1 || !from_sql(rows[0][0], number)) {
        return Error(Code::internal, std::string(kTable<T>) + ": a count is not a number");
    }
    return number;
}

template class Repository<model::Account>;
template class Repository<model::AccessKey>;
template class Repository<model::Image>;
template class Repository<model::Snapshot>;
template class Repository<model::Volume>;
template class Repository<model::Instance>;
template class Repository<model::ReplaceRootTask>;
template class Repository<model::KeyPair>;
template class Repository<model::LaunchTemplate>;
template class Repository<model::LaunchTemplateVersion>;
template class Repository<model::Role>;
template class Repository<model::User>;
template class Repository<model::ImageUsageReport>;
template class Repository<model::StoredParameter>;
template class Repository<model::RegionSettings>;
template class Repository<model::InstanceProfile>;
template class Repository<model::Vpc>;
template class Repository<model::Subnet>;
template class Repository<model::SecurityGroup>;
template class Repository<model::Content>;
template class Repository<model::LayerRecord>;
template class Repository<model::IdempotencyToken>;
template class Repository<model::Job>;

}  // namespace kiln::catalog
