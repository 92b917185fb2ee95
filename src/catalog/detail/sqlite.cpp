// SPDX-License-Identifier: Apache-2.0
#include "catalog/detail/sqlite.h"

#include <sqlite3.h>

#include "util/check.h"

namespace kiln::catalog::detail {

namespace {

// Another process, such as a backup, may hold the database for a moment.
constexpr int kBusyTimeoutMs = 10'000;
constexpr std::size_t kMaxStatements = 200;

Code code_of(int extended) {
    switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
            return Code::already_exists;
        default:
            break;
    }
    switch (extended & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Code::conflict;
        case SQLITE_FULL:
            return Code::out_of_space;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Code::data_loss;
        case SQLITE_IOERR:
            return Code::io_error;
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
            return Code::permission_denied;
        default:
            return Code::internal;
    }
}

SqlValue column(sqlite3_stmt* stmt, int index) {
    switch (sqlite3_column_type(stmt, index)) {
        case SQLITE_INTEGER:
            return std::int64_t{sqlite3_column_int64(stmt, index)};
        case SQLITE_TEXT: {
            const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(stmt, index));
            return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(stmt, index)));
        }
        case SQLITE_BLOB: {
            const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(stmt, index));
            return Bytes(bytes, bytes + sqlite3_column_bytes(stmt, index));
        }
        default:
            return std::monostate{};
    }
}

}  // namespace

void SqliteConnection::CloseDb::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}
void SqliteConnection::FinalizeStmt::operator()(sqlite3_stmt* stmt) const {
    sqlite3_finalize(stmt);
}

SqliteConnection::SqliteConnection(std::unique_ptr<sqlite3, CloseDb> db, Mode mode)
    : db_(std::move(db)), mode_(mode) {}

SqliteConnection::~SqliteConnection() = default;

Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const std::string& path, Mode mode,
                                                                 bool durable) {
    sqlite3* raw = nullptr;
    // No mutex of SQLite's own: a connection has one thread at a time.
    const int code =
        sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<sqlite3, CloseDb> db(raw);
    if (code != SQLITE_OK) {
        return Error(code_of(code), "open the catalog " + path + ": " + sqlite3_errstr(code));
    }
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, kBusyTimeoutMs);
    std::unique_ptr<SqliteConnection> connection(new SqliteConnection(std::move(db), mode));
    TRY(connection->configure(durable), "open the catalog " + path);
    return connection;
}

Status SqliteConnection::configure(bool durable) {
    if (mode_ == Mode::writer) {
        TRY_ASSIGN(const auto mode, query({"PRAGMA journal_mode = WAL", {}}));
        if (mode.size() != 1 || mode[0][0] != SqlValue(std::string("wal"))) {
            return Error(Code::unsupported,
                         "this file system cannot hold a write-ahead log: put the data directory "
                         "on a local one");
        }
    }
    // FULL syncs the log at every commit: what is acknowledged survives a power loss.
    TRY(script(durable ? "PRAGMA synchronous = FULL;" : "PRAGMA synchronous = OFF;"));
    TRY(
        script("PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY;"
               "PRAGMA journal_size_limit = 67108864;"));
    return mode_ == Mode::reader ? script("PRAGMA query_only = ON;") : ok();
}

Error SqliteConnection::latch(Error error) {
    if (!failure_) {
        failure_ = error;
    }
    return error;
}

Error SqliteConnection::failed(int code, const std::string& sql) {
    INVARIANT_MSG((code & 0xff) != SQLITE_READONLY, "a write in a read transaction");
    return latch(Error(code_of(code), std::string(sqlite3_errmsg(db_.get())) + " (" +
                                          sqlite3_errstr(code) + ") in: " + sql.substr(0, 200)));
}

Result<sqlite3_stmt*> SqliteConnection::prepare(const std::string& sql) {
    if (const auto found = statements_.find(sql); found != statements_.end()) {
        return found->second.get();
    }
    if (statements_.size() >= kMaxStatements) {
        statements_.clear();
    }
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) {
        return failed(code, sql);
    }
    statements_.emplace(sql, Stmt(raw));
    return raw;
}

Status SqliteConnection::bind(sqlite3_stmt* stmt, const std::vector<SqlValue>& params) {
    INVARIANT(sqlite3_bind_parameter_count(stmt) == static_cast<int>(params.size()));
    for (std::size_t i = 0; i < params.size(); ++i) {
        const int at = static_cast<int>(i) + 1;
        int code = SQLITE_OK;
        if (const auto* number = std::get_if<std::int64_t>(&params[i])) {
            code = sqlite3_bind_int64(stmt, at, *number);
        } else if (const auto* text = std::get_if<std::string>(&params[i])) {
            if (text->find('\0') != std::string::npos) {
                // PostgreSQL has no such text, so neither have we.
                return latch(Error(Code::invalid_argument, "a text with a NUL character"));
            }
            // The parameters outlive the step.
            code = sqlite3_bind_text64(stmt, at, text->data(), text->size(), SQLITE_STATIC,
                                       SQLITE_UTF8);
        } else if (const auto* bytes = std::get_if<Bytes>(&params[i])) {
            code = sqlite3_bind_blob64(stmt, at, bytes->data(), bytes->size(), SQLITE_STATIC);
        }
        if (code != SQLITE_OK) {
            return failed(code, sqlite3_sql(stmt));
        }
    }
    return ok();
}

Result<std::vector<SqlRow>> SqliteConnection::step_all(sqlite3_stmt* stmt) {
    std::vector<SqlRow> rows;
    while (true) {
        const int code = sqlite3_step(stmt);
        if (code == SQLITE_DONE) {
            return rows;
        }
        if (code != SQLITE_ROW) {
            return failed(code, sqlite3_sql(stmt));
        }
        SqlRow& row = rows.emplace_back();
        const int count = sqlite3_column_count(stmt);
        row.reserve(static_cast<std::size_t>(count));
        for (int i = 0; i < count; ++i) {
            row.push_back(column(stmt, i));
        }
    }
}

Result<std::vector<SqlRow>> SqliteConnection::query(const Statement& statement) {
    if (failure_) {
        return *failure_;
    }
    TRY_ASSIGN(sqlite3_stmt* const stmt, prepare(statement.sql));
    Status bound = bind(stmt, statement.params);
    Result<std::vector<SqlRow>> rows = bound ? step_all(stmt) : Error(bound.error());
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rows;
}

Result<std::size_t> SqliteConnection::execute(const Statement& statement) {
    TRY(query(statement));
    return static_cast<std::size_t>(sqlite3_changes(db_.get()));
}

Status SqliteConnection::script(const std::string& sql) {
    if (failure_) {
        return *failure_;
    }
    const int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        return failed(sqlite3_extended_errcode(db_.get()), sql);
    }
    return ok();
}

Status SqliteConnection::begin() {
    INVARIANT_MSG(sqlite3_get_autocommit(db_.get()) != 0, "a transaction within a transaction");
    failure_.reset();
    return script(mode_ == Mode::writer ? "BEGIN IMMEDIATE" : "BEGIN");
}

Status SqliteConnection::commit() {
    return script("COMMIT");
}

void SqliteConnection::rollback() {
    // After some errors SQLite has rolled back by itself.
    if (sqlite3_get_autocommit(db_.get()) == 0) {
        const int code = sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        INVARIANT_MSG(code == SQLITE_OK || sqlite3_get_autocommit(db_.get()) != 0,
                      "the catalog cannot be rolled back");
    }
    failure_.reset();
}

Status SqliteConnection::save() {
    return script("SAVEPOINT part");
}

Status SqliteConnection::keep() {
    return script("RELEASE part");
}

bool SqliteConnection::undo() {
    if (sqlite3_get_autocommit(db_.get()) != 0) {
        return false;  // SQLite has rolled back by itself
    }
    failure_.reset();
    return script("ROLLBACK TO part; RELEASE part").has_value();
}

bool SqliteConnection::lost_race() const {
    return failure_ && failure_->code() == Code::conflict;
}

}  // namespace kiln::catalog::detail
