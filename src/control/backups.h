// SPDX-License-Identifier: Apache-2.0
// Backups: a copy of the whole store, taken while it is used (docs/decisions/0005). All volumes
// that were written are cut at one instant, as if each had been given a snapshot that is deleted at
// once; then the catalog is copied, and the files it names are linked into a directory beside it.
// Packs and sealed layers never change, so links hold them for as long as it takes to read them,
// whatever is deleted meanwhile.
//
// The copy is a store whose service was killed at that instant on a host that is gone: active
// layers are `planned` (their writes came after the cut), and the next start finds no machine.
//
// Errors: failed_precondition while another backup is under way; unavailable when the store changes
// too fast; UnauthorizedOperation. Backups is thread-safe; one Backup has one owner thread.
// Blocking.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/cuts.h"
#include "control/parts.h"
#include "control/snapshots.h"

namespace kiln::control {

// Links and files in a directory that goes with it. Paths are relative to that directory and to a
// data directory alike; they are complete and do not change.
class Backup {
  public:
    ~Backup();
    Backup(const Backup&) = delete;
    Backup& operator=(const Backup&) = delete;

    const std::string& directory() const { return directory_; }
    // The catalog is the last.
    const std::vector<std::string>& files() const { return files_; }

  private:
    friend class Backups;
    Backup(std::string directory, std::atomic<bool>& busy)
        : directory_(std::move(directory)), busy_(busy) {}
    const std::string directory_;
    std::atomic<bool>& busy_;
    std::vector<std::string> files_;
};

class Backups {
  public:
    Backups(const Parts& parts, Cuts& cuts, Snapshots& snapshots, std::string data_directory)
        : parts_(parts),
          cuts_(cuts),
          snapshots_(snapshots),
          data_directory_(std::move(data_directory)) {}

    // Removes what a killed service left of one. Before the first begin(), after recover_cuts().
    Status clean_up();
    // Nothing refers to the store any more when it returns but the links.
    Result<std::unique_ptr<Backup>> begin(const Caller& caller);

  private:
    // A volume and the content that its bytes became.
    struct CutVolume {
        model::VolumeId volume;
        model::ContentId content;
    };
    std::string place() const { return data_directory_ + "/backup"; }
    Status drop_snapshots();
    Status fill(Backup& backup);
    Result<std::vector<model::VolumeId>> written_volumes();
    Result<std::vector<model::Snapshot>> draft(catalog::Transaction& tx,
                                               const std::vector<model::VolumeId>& volumes);
    Result<std::vector<CutVolume>> cut_all();
    Status take(Backup& backup, const std::vector<CutVolume>& cut);
    Status link_file(const std::string& path);
    Result<std::set<model::LayerId>> copy_maps(const std::set<model::LayerId>& wanted);
    // Those that are there; the answer is which of them are whole.
    Result<std::set<model::LayerId>> link_layers(const std::set<model::LayerId>& wanted);
    Status keep_layers(Backup& backup, const std::set<model::LayerId>& layers,
                       const std::set<model::LayerId>& linked);
    Status link_packs(Backup& backup, catalog::Store& copy);
    Status copy_small_files(Backup& backup);

    const Parts parts_;
    Cuts& cuts_;
    Snapshots& snapshots_;
    const std::string data_directory_;
    std::atomic<bool> busy_{false};
};

}  // namespace kiln::control
