// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "catalog/sqlite_store.h"
#include "cli/print.h"
#include "control/chunk_index.h"
#include "control/content_store.h"
#include "control/store_check.h"
#include "daemon/store_directory.h"
#include "objects/file_object_store.h"

namespace kiln::daemon {
namespace {

using control::Finding;
using control::StoreSummary;
using nlohmann::json;

constexpr std::size_t kQueue = 4096;
constexpr int kMended = 1;
constexpr int kDamaged = 2;

// Prints findings as they come, or keeps them for one document.
class Report {
  public:
    explicit Report(bool as_json) : as_json_(as_json) {}

    void add(const Finding& finding) {
        left_ += finding.mended ? 0 : 1;
        mended_ += finding.mended ? 1 : 0;
        mendable_ += finding.mendable && !finding.mended ? 1 : 0;
        if (as_json_) {
            findings_.push_back({{"kind", finding.kind},
                                 {"subject", finding.subject},
                                 {"what", finding.what},
                                 {"mendable", finding.mendable},
                                 {"mended", finding.mended},
                                 {"hit", finding.hit}});
            return;
        }
        fmt::print("{} {}: {}{}\n", finding.kind, finding.subject, finding.what,
                   finding.mended ? " (mended)" : "");
        for (const std::string& name : finding.hit) {
            fmt::print("    hit: {}\n", name);
        }
    }
    int finish(const StoreSummary& summary) {
        if (as_json_) {
            fmt::print("{}\n", json{{"whole", left_ == 0},
                                    {"mended", mended_},
                                    {"left", left_},
                                    {"packs", summary.packs},
                                    {"entries", summary.entries},
                                    {"layers", summary.layers},
                                    {"contents", summary.contents},
                                    {"findings", findings_}}
                                   .dump(2, ' ', false, json::error_handler_t::replace));
        } else {
            fmt::print("{} packs with {} entries, {} layers, {} contents: ", summary.packs,
                       summary.entries, summary.layers, summary.contents);
            fmt::print("{}\n", left_ > 0
                                   ? fmt::format("{} findings left, {} mended", left_, mended_)
                               : mended_ > 0 ? fmt::format("whole; {} mended", mended_)
                                             : std::string("whole"));
            if (mendable_ > 0) {
                fmt::print("{} of them lose nothing by kiln fsck --repair\n", mendable_);
            }
        }
        return left_ > 0 ? kDamaged : mended_ > 0 ? kMended : 0;
    }

  private:
    const bool as_json_;
    std::size_t left_ = 0;
    std::size_t mended_ = 0;
    std::size_t mendable_ = 0;
    json findings_ = json::array();
};

Result<UniqueFd> lock_unused(const std::string& directory) {
    if (::access((directory + "/catalog.sqlite").c_str(), F_OK) != 0) {
        return Error(Code::not_found, directory + " is no data directory of kiln");
    }
    if (::access((directory + "/" + kResetMark).c_str(), F_OK) == 0) {
        return Error(Code::failed_precondition,
                     "a reset of this directory was cut short; there is nothing to check");
    }
    auto lock = lock_store(directory);
    if (!lock) {
        return Error(lock.error().code(),
                     lock.error().message() +
                         ". Stop it first, or ask it: kiln verify checks what it serves");
    }
    return lock;
}

Result<StoreSummary> check(const FsckRequest& request, Report& report) {
    const std::string& directory = request.data_directory;
    TRY_ASSIGN(const UniqueFd lock, lock_unused(directory));
    const std::string path = directory + "/catalog.sqlite";
    TRY_ASSIGN(const auto problems, catalog::check_sqlite_file(path), "the catalog");
    for (const std::string& problem : problems) {
        report.add({.kind = "catalog", .subject = "catalog.sqlite", .what = problem});
    }
    const auto clock = io::make_system_clock();
    const auto rng = io::make_system_rng();
    TRY_ASSIGN(const auto store, catalog::open_sqlite_store({.path = path}, *rng));
    Executor lookups("lookups", 2, kQueue);
    Executor index("index", 2, kQueue);
    control::CatalogContents contents(*store, lookups);
    block::ImageTier images;
    images.objects =
        [&](io::Io& io, io::Scheduler& scheduler) -> Result<std::unique_ptr<objects::ObjectStore>> {
        return std::make_unique<objects::FileObjectStore>(
            io, scheduler, objects::FileStoreOptions{.directory = directory + "/objects"});
    };
    images.index = [&](io::Scheduler& scheduler) -> std::unique_ptr<block::ChunkIndex> {
        return std::make_unique<control::CatalogChunkIndex>(*store, index, *clock, scheduler);
    };
    TRY_ASSIGN(const auto engine, block::Engine::create({.directory = directory + "/layers",
                                                         .store_uuid = store->uuid()},
                                                        std::move(images), contents, *clock, *rng));
    control::StoreCheck checking(*store, *engine,
                                 {.data_directory = directory, .repair = request.repair},
                                 [&](const Finding& finding) { report.add(finding); });
    return checking.run();
}

}  // namespace

int run_fsck(const FsckRequest& request) {
    Report report(request.json);
    const auto summary = check(request, report);
    if (!summary) {
        cli::fail(summary.error());
        return kDamaged;
    }
    return report.finish(*summary);
}

}  // namespace kiln::daemon
