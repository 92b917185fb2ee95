// SPDX-License-Identifier: Apache-2.0
// SqlSession: one transaction on a database, as the repositories see it. They speak SQL that SQLite
// and PostgreSQL both understand, with `?` for parameters; a backend translates the rest and its
// errors:
//
//   already_exists  a unique key is taken      conflict   the race is lost, run the transaction
//   again out_of_space, io_error, data_loss          internal   anything else: a bug
//
// After an error the transaction is lost: every further call repeats that error, and it is not
// committed, as PostgreSQL would have it. One owner thread.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::catalog::detail {

// Byte strings are for the chunk index alone: elsewhere documents hold them as text.
using SqlValue = std::variant<std::monostate, std::int64_t, std::string, Bytes>;
using SqlRow = std::vector<SqlValue>;

struct Statement {
    std::string sql;
    std::vector<SqlValue> params;
};

class SqlSession {
  public:
    virtual ~SqlSession() = default;
    virtual Result<std::vector<SqlRow>> query(const Statement& statement) = 0;
    // The number of rows inserted, changed or deleted.
    virtual Result<std::size_t> execute(const Statement& statement) = 0;
    // Several statements without parameters.
    virtual Status script(const std::string& sql) = 0;
};

}  // namespace kiln::catalog::detail
