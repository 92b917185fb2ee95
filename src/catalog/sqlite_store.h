// SPDX-License-Identifier: Apache-2.0
// The store on SQLite: one file, write-ahead log, one writer and several readers in this process.
// The default.
//
// The file and its companions are readable by their owner only, as they hold secrets. That only one
// daemon uses a directory is the daemon's lock to see to; another process that holds the database
// for a moment is waited for.
//
// Thread-safe, as Store is.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "io/clock.h"

namespace kiln::catalog {

struct SqliteOptions {
    std::string path{};
    bool durable = true;      // false (--ephemeral): nothing is synced
    std::size_t readers = 4;  // read transactions at one time
    // Tests: this many of a hundred transactions are rolled back instead of committed, and run
    // again.
    unsigned inject_retry_percent = 0;
};

// Makes the database, or brings it up to date. Refuses one that a newer program wrote
// (failed_precondition). `rng` outlives the store.
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options, io::Rng& rng);

// What the database itself finds wrong in its file: nothing when it is whole. An error when it
// cannot even be opened. Changes nothing.
Result<std::vector<std::string>> check_sqlite_file(const std::string& path);

}  // namespace kiln::catalog
