// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>

#include "block/layer_name.h"
#include "catalog/sqlite_store.h"
#include "cli/print.h"
#include "compute/leftovers.h"
#include "daemon/directories.h"
#include "daemon/store_directory.h"
#include "util/fs.h"

namespace kiln::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kEndTime{30};
constexpr char kCatalog[] = "catalog.sqlite";
constexpr std::string_view kSqliteMark("SQLite format 3\0", 16);

bool is_regular(const std::string& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool is_database(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "rbe");
    if (file == nullptr) {
        return false;
    }
    std::array<char, 16> begin{};
    const std::size_t n = std::fread(begin.data(), 1, begin.size(), file);
    std::fclose(file);
    return std::string_view(begin.data(), n) == kSqliteMark;
}

// A store, or what a reset that was cut short has left of one.
Result<UniqueFd> lock_old_store(const std::string& directory) {
    const bool store =
        is_regular(directory + "/lock") &&
        (is_regular(directory + "/" + kResetMark) || is_database(directory + "/" + kCatalog));
    if (!store) {
        return Error(Code::failed_precondition,
                     directory + " is no data directory of kiln; nothing was touched");
    }
    auto lock = lock_store(directory);
    if (!lock) {
        return Error(lock.error().code(),
                     lock.error().message() +
                         ". Stop it first (SIGTERM, or systemctl stop kiln), then repeat this");
    }
    return lock;
}

// What the catalog says, if it can be read: else the sockets' directory stays, and holds nothing.
struct Holdings {
    std::string runtime_directory;
    std::string text;
};

Result<std::string> describe(catalog::Transaction& tx) {
    TRY_ASSIGN(const auto images, tx.images().list({}));
    TRY_ASSIGN(const auto snapshots, tx.snapshots().list({}));
    TRY_ASSIGN(const auto volumes, tx.volumes().list({}));
    TRY_ASSIGN(const auto instances, tx.instances().list({}));
    TRY_ASSIGN(const auto accounts, tx.accounts().list({}));
    return fmt::format("images: {}, snapshots: {}, volumes: {}, instances: {}, accounts: {}\n",
                       images.size(), snapshots.size(), volumes.size(), instances.size(),
                       accounts.size());
}

Holdings holdings_of(const std::string& directory) {
    const std::string path = directory + "/" + kCatalog;
    if (!is_database(path)) {
        return {};
    }
    const auto rng = io::make_system_rng();
    const auto store = catalog::open_sqlite_store({.path = path}, *rng);
    if (!store) {
        return {};
    }
    const auto text = (*store)->read(describe);
    return {default_runtime_directory((*store)->uuid()), text.value_or("")};
}

// Unless a service uses it: a copy of a store has the same name as the original.
void remove_runtime_directory(const std::string& path) {
    if (!path.empty() && is_regular(path + "/lock")) {
        if (const auto unused = lock_file(path + "/lock")) {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        }
    }
}

// Removes the entries that `ours` knows, and the folder if nothing else is in it. How many others
// there are.
Result<std::size_t> empty_folder(const std::string& folder,
                                 const std::function<bool(const std::string&)>& ours) {
    std::size_t others = 0;
    std::error_code error;
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        paths.push_back(entry.path());
    }
    for (const fs::path& path : paths) {
        if (!ours(path.filename().string())) {
            ++others;
            continue;
        }
        fs::remove_all(path, error);
        if (error) {
            return Error(Code::io_error, "remove " + path.string() + ": " + error.message());
        }
    }
    ::rmdir(folder.c_str());  // when it is empty
    return others;
}

Result<std::size_t> remove_contents(const std::string& directory) {
    TRY_ASSIGN(const std::size_t layers, empty_folder(directory + "/layers", [](const auto& name) {
                   return block::layer_of_file(name).has_value();
               }));
    TRY_ASSIGN(const std::size_t objects,
               empty_folder(directory + "/objects", [](const std::string& name) {
                   return name.find("pack-") != std::string::npos;  // and what was to be one
               }));
    TRY_ASSIGN(const std::size_t instances,
               empty_folder(directory + "/instances",
                            [](const std::string& name) { return name.starts_with("i-"); }));
    TRY_ASSIGN(const std::size_t backups,
               empty_folder(directory + "/backup", [](const auto&) { return true; }));
    for (const char* name : {"credentials", "config", "endpoint", kIdentityCertificate}) {
        TRY(remove_file(directory + "/" + name));
    }
    return layers + objects + instances + backups;
}

// Beside the folders, whose strangers are counted already.
std::size_t count_left(const std::string& directory) {
    std::size_t left = 0;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        left += name == "layers" || name == "objects" || name == "instances" ? 0 : 1;
    }
    return left;
}

bool confirmed() {
    if (::isatty(STDIN_FILENO) == 0) {
        std::fprintf(stderr, "kiln: this needs an answer, and there is no terminal: give --yes\n");
        return false;
    }
    std::fprintf(stderr, "Type yes to go on: ");
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "yes") {
        std::fprintf(stderr, "nothing was removed\n");
        return false;
    }
    return true;
}

void announce(const std::string& directory, const Holdings& holdings) {
    fmt::print(stderr,
               "This ends all guests of {0} and removes its images, snapshots, volumes, "
               "instances, accounts and keys for ever.\n{1}",
               directory, holdings.text);
}

// With the store's lock. How many files of others were left.
Result<std::size_t> remove_store(const std::string& directory, const Holdings& holdings) {
    TRY(write_file_atomic(directory + "/" + kResetMark, "", 0600));
    TRY(compute::end_recorded_processes(directory + "/instances", Deadline::after(kEndTime)));
    TRY_ASSIGN(const std::size_t others, remove_contents(directory));
    remove_runtime_directory(holdings.runtime_directory);
    for (const char* ending : {"-wal", "-shm", ""}) {
        TRY(remove_file(directory + "/" + kCatalog + ending));
    }
    TRY(remove_file(directory + "/" + kResetMark));
    TRY(remove_file(directory + "/lock"));  // empty is what kiln restore wants
    return others + count_left(directory);
}

}  // namespace

int run_reset(const std::string& directory, bool sure) {
    // Held while somebody thinks: what was told is what goes.
    const auto lock = lock_old_store(directory);
    if (!lock) {
        return cli::fail(lock.error());
    }
    const Holdings holdings = holdings_of(directory);
    announce(directory, holdings);
    if (!sure && !confirmed()) {
        return 1;
    }
    const auto others = remove_store(directory, holdings);
    if (!others) {
        return cli::fail(others.error());
    }
    fmt::print("{} is empty; the next kiln serve begins anew\n", directory);
    if (*others != 0) {
        fmt::print("{} files there are not kiln's and were left\n", *others);
    }
    return 0;
}

}  // namespace kiln::daemon
