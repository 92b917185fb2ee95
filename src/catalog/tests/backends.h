// SPDX-License-Identifier: Apache-2.0
// The stores that the contract suite runs on. A backend owns a place where a store lies, and opens
// it: twice means again, with what was committed.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "catalog/sqlite_store.h"
#include "io/clock.h"

namespace kiln::catalog::testing {

class TempDir {
  public:
    TempDir() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "kiln-catalog-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

struct OpenOptions {
    bool durable = false;  // the tests that kill or count syncs say true
    // By default a third of all transactions run more than once, so that every test also shows that
    // it may.
    unsigned inject_retry_percent = 33;
};

class SqliteBackend {
  public:
    std::unique_ptr<Store> open(const OpenOptions& options = {}) {
        SqliteOptions sqlite;
        sqlite.path = path();
        sqlite.durable = options.durable;
        sqlite.inject_retry_percent = options.inject_retry_percent;
        auto store = open_sqlite_store(sqlite, *rng_);
        REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().to_string()));
        return std::move(*store);
    }
    std::string path() const { return dir_.path() + "/catalog.db"; }

  private:
    TempDir dir_;
    std::unique_ptr<io::Rng> rng_ = io::make_system_rng();
};

}  // namespace kiln::catalog::testing

// For TEST_CASE_TEMPLATE: every store there is.
#define KILN_STORE_BACKENDS kiln::catalog::testing::SqliteBackend
