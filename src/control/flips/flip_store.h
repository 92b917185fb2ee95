// SPDX-License-Identifier: Apache-2.0
// FlipStore: a small store with everything in it that is ever read, in which one byte at a time is
// changed: a tree over its packs, two sealed layers over that with check sums of their data, an
// active layer with a checkpoint, and the catalog that names them. It knows what every snapshot and
// volume has to read as.
//
// The files lie in a directory of its own and are put back after each flip. One owner thread,
// blocking. Broken expectations about the store as it was built stop the process.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "block/engine.h"
#include "catalog/store.h"
#include "control/chunk_index.h"
#include "control/content_store.h"
#include "control/parts.h"
#include "io/clock.h"
#include "io/sim_random.h"
#include "model/ids.h"

namespace kiln::control::flips {

// Of the volume and its snapshots.
inline constexpr std::uint64_t kStoreBytes = 512U << 10;

enum class Part {
    packs,
    sealed_maps,
    sealed_journals,
    sealed_data,
    sealed_crcs,
    active_map,
    active_journal,
    catalog
};
inline constexpr Part kParts[] = {Part::packs,          Part::sealed_maps, Part::sealed_journals,
                                  Part::sealed_data,    Part::sealed_crcs, Part::active_map,
                                  Part::active_journal, Part::catalog};
const char* name_of(Part part);

class FlipStore {
  public:
    // In an empty directory.
    static std::unique_ptr<FlipStore> build(const std::string& directory, std::uint64_t seed);
    ~FlipStore();

    // What a change of a byte came to.
    struct Outcome {
        bool detected = false;  // somebody was refused
        std::string wrong;      // what was served that is not right; empty: nothing
        std::string message;    // of the first refusal
    };
    // Paths below the directory.
    const std::vector<std::string>& files(Part part) const { return files_.at(part); }
    // Mostly where there is something.
    std::uint64_t random_place(const std::string& file, io::SimRandom& random) const;
    // Changes one byte, opens and reads everything, and puts everything back.
    Outcome flip(const std::string& file, std::uint64_t offset, std::uint8_t mask);
    // Reads everything as it is.
    Outcome check();

  private:
    FlipStore(std::string directory, std::uint64_t seed);
    void open();
    void close();
    void fill();
    void remember();
    void find_rows();
    void restore(const std::string& flipped);
    std::string path(const std::string& file) const { return directory_ + "/" + file; }

    // Of filling.
    model::LayerId add_layer(model::LayerState state);
    void write(std::uint64_t offset, std::uint64_t length);
    void zero(std::uint64_t offset, std::uint64_t length);
    void scribble(int times, std::uint64_t bytes);
    model::ContentId cut();
    void store_tree(const model::ContentId& content);

    void check_snapshot(const model::SnapshotId& id, const Bytes& expected, Outcome& outcome);
    void check_volume(Outcome& outcome);
    void compare(const std::string& who, const Result<Bytes>& got, const Bytes& expected,
                 Outcome& outcome);
    void refused(const std::string& who, const Error& error, Outcome& outcome);

    const std::string directory_;
    io::SimRandom random_;
    io::SimRng rng_{random_};
    std::unique_ptr<io::Clock> clock_;
    std::unique_ptr<Executor> lookups_;
    std::unique_ptr<Executor> index_;
    std::unique_ptr<catalog::Store> store_;
    std::unique_ptr<CatalogContents> contents_;
    std::unique_ptr<block::Engine> engine_;

    model::VolumeId volume_;
    model::ContentId base_;
    model::LayerId active_;
    Bytes bytes_;  // of the volume
    std::map<model::SnapshotId, Bytes> snapshots_;
    std::vector<model::LayerId> sealed_;
    std::map<Part, std::vector<std::string>> files_;
    std::map<std::string, Bytes> pristine_;
    std::vector<std::uint64_t> rows_;
};

}  // namespace kiln::control::flips
