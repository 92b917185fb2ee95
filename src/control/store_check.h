// SPDX-License-Identifier: Apache-2.0
// StoreCheck: what `kiln fsck` does with a store that nobody uses: the catalog against itself and
// against the files, every pack down to its last entry, the chunk index against the packs, every
// layer and every tree (INT-4). With `repair` it mends what loses nothing (INT-5); all else it only
// tells.
//
//   1  the catalog: every row reads, and what a row names is there
//   2  packs: header, footer, each entry's digest; index rows as the footer says (repair: as the
//      footer says)
//   3  files in objects/ that are packs nobody names (repair: into the trash)
//   4  layers: the files of each are there, its map and journal read, and are those of the layer,
//      size and volume that the catalog says; files nobody names (repair: into the trash)
//   5  contents: the data of each one's layer, its tree, node by node
//
// Memory: the largest pack (64 MiB) and the names of contents, snapshots, images and volumes.
// One owner thread, blocking. The engine has nothing open, and nobody else has the store.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "block/engine.h"
#include "block/image/pack_check.h"
#include "catalog/store.h"

namespace kiln::control {

struct Finding {
    std::string kind;     // catalog, pack, index, layer, content, orphan
    std::string subject;  // a row's id, or a file's path below the data directory
    std::string what;
    bool mendable = false;  // by --repair, without losing anything
    bool mended = false;
    std::vector<std::string> hit{};  // snapshots, images and volumes that are damaged by it
};

struct StoreSummary {
    std::uint64_t packs = 0;
    std::uint64_t entries = 0;
    std::uint64_t layers = 0;
    std::uint64_t contents = 0;
    std::uint64_t findings = 0;
    std::uint64_t mended = 0;
};

class StoreCheck {
  public:
    using Sink = std::function<void(const Finding&)>;
    struct Options {
        std::string data_directory;
        bool repair = false;
    };
    StoreCheck(catalog::Store& store, block::Engine& engine, Options options, Sink sink)
        : store_(store), engine_(engine), options_(std::move(options)), sink_(std::move(sink)) {}

    // An error is what ends the check early; damage is a finding.
    Result<StoreSummary> run();

  private:
    void find(Finding finding);
    Status load_names();
    void check_references();
    Status check_packs(model::PackState state);
    void check_pack(const model::PackRecord& pack);
    void check_index(const model::PackRecord& pack, const block::PackFooter& footer);
    void find_orphan(const std::string& file, const std::string& what);
    void find_orphan_packs();
    void check_layers();
    void check_layer(const model::LayerRecord& layer);
    void find_orphan_layers();
    void check_contents();
    bool trees_are_whole();
    void check_content(const model::Content& content, bool tree);
    std::vector<std::string> hit_by(const model::ContentId& content) const;
    std::vector<std::string> files_in(const std::string& folder);
    Status to_trash(const std::string& file);

    catalog::Store& store_;
    block::Engine& engine_;
    const Options options_;
    const Sink sink_;
    StoreSummary summary_;

    std::map<model::ContentId, model::Content> contents_;
    std::multimap<model::ContentId, model::ContentId> children_;
    std::map<model::LayerId, model::LayerRecord> layers_;
    std::multimap<model::ContentId, std::string> names_;  // snapshots and volumes by content
    std::multimap<std::string, std::string> images_;      // by snapshot
    std::map<model::LayerId, model::VolumeId> active_;
    std::vector<model::Volume> volumes_;
    std::vector<model::Snapshot> snapshots_;
    bool packs_are_whole_ = true;
};

}  // namespace kiln::control
