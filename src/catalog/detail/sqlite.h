// SPDX-License-Identifier: Apache-2.0
// SqliteConnection: one open SQLite database handle and the transaction on it. The only place that
// knows SQLite's C interface.
//
// One owner thread at a time; the store hands connections round.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "catalog/detail/sql.h"
#include "util/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kiln::catalog::detail {

class SqliteConnection final : public SqlSession {
  public:
    enum class Mode { writer, reader };
    static Result<std::unique_ptr<SqliteConnection>> open(const std::string& path, Mode mode,
                                                          bool durable);
    ~SqliteConnection() override;

    // A writer takes the write lock at once, so that it cannot lose a race later.
    Status begin();
    // Fails when the transaction is lost; then, as after any failed commit, roll back.
    Status commit();
    void rollback();
    // A part of the transaction that may fail by itself: begun by save(), ended by keep() or
    // undo(). keep() fails as commit() does; undo() then. False: all of the transaction is lost,
    // roll back.
    Status save();
    Status keep();
    bool undo();
    // The transaction failed because another one was in the way.
    bool lost_race() const;

    Result<std::vector<SqlRow>> query(const Statement& statement) override;
    Result<std::size_t> execute(const Statement& statement) override;
    Status script(const std::string& sql) override;

  private:
    struct CloseDb {
        void operator()(sqlite3* db) const;
    };
    struct FinalizeStmt {
        void operator()(sqlite3_stmt* stmt) const;
    };
    using Stmt = std::unique_ptr<sqlite3_stmt, FinalizeStmt>;

    SqliteConnection(std::unique_ptr<sqlite3, CloseDb> db, Mode mode);
    Status configure(bool durable);
    Result<sqlite3_stmt*> prepare(const std::string& sql);
    Status bind(sqlite3_stmt* stmt, const std::vector<SqlValue>& params);
    Result<std::vector<SqlRow>> step_all(sqlite3_stmt* stmt);
    // Remembers the first error of the transaction.
    Error failed(int code, const std::string& sql);
    Error latch(Error error);

    std::unique_ptr<sqlite3, CloseDb> db_;
    const Mode mode_;
    // Prepared statements by text; emptied when full, as lists of ids make many texts.
    std::unordered_map<std::string, Stmt> statements_;
    std::optional<Error> failure_;
};

}  // namespace kiln::catalog::detail
