// SPDX-License-Identifier: Apache-2.0
#include "control/backups.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <iterator>

#include "block/image/pack_format.h"
#include "block/layer_name.h"
#include "compute/uefi/variable_store.h"
#include "control/backup_copy.h"
#include "control/space.h"
#include "control/sparse_copy.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

// The store may change between the cut, the copy and the links; then all is done again.
constexpr int kAttempts = 5;
constexpr std::size_t kPage = 1000;
constexpr char kCatalog[] = "catalog.sqlite";
constexpr char kDescription[] = "made by a backup under way, and gone with it";
// The snapshots of a cut, separated by commas: what a killed service leaves of them is removed.
constexpr char kSnapshotsKey[] = "backup.snapshots";

Error changed(const std::string& what) {
    return Error(Code::conflict, what + " changed meanwhile");
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        names.push_back(entry.path().filename().string());
    }
    if (error) {
        return Error(Code::io_error, "list " + directory + ": " + error.message());
    }
    return names;
}

// Whose file it is; nobody's while it is being written.
std::optional<model::LayerId> layer_of(const std::string& name) {
    const auto layer = block::layer_of_file(name);
    return layer && !name.ends_with(".new") ? std::optional(model::LayerId(layer->str()))
                                            : std::nullopt;
}

std::string map_of(const model::LayerId& layer) {
    return "layers/d-" + layer.str() + ".map";
}

}  // namespace

Backup::~Backup() {
    std::error_code error;
    std::filesystem::remove_all(directory_, error);
    if (error) {
        log_warn("backup", "cannot remove " + directory_ + ": " + error.message());
    }
    busy_ = false;
}

Status Backups::clean_up() {
    std::error_code error;
    std::filesystem::remove_all(place(), error);
    if (error) {
        return Error(Code::io_error, "remove " + place() + ": " + error.message());
    }
    return drop_snapshots();
}

// The volumes go on naming the contents.
Status Backups::drop_snapshots() {
    TRY_ASSIGN(const auto ids, parts_.store.read([](catalog::Transaction& tx) {
        return tx.meta().find(kSnapshotsKey);
    }));
    if (ids.value_or("").empty()) {
        return ok();
    }
    for (const std::string_view text : split(*ids, ',')) {
        TRY_ASSIGN(const auto id, model::parse_snapshot_id(text));
        TRY_ASSIGN(const auto snapshot, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.snapshots().find(id);
        }));
        if (!snapshot) {
            continue;
        }
        const Caller owner{snapshot->owner_id, snapshot->region, false, {}};
        if (const Status removed = snapshots_.remove(owner, id, false); !removed) {
            log_warn("backup", fmt::format("{} is left for its owner: {}", id.str(),
                                           removed.error().to_string()));
        }
    }
    return parts_.store.run(
        [](catalog::Transaction& tx) { return tx.meta().set(kSnapshotsKey, ""); });
}

Result<std::unique_ptr<Backup>> Backups::begin(const Caller& caller) {
    if (!caller.administrator) {
        return Error::api(Code::permission_denied, "UnauthorizedOperation",
                          "Only an administrator may make a backup: it holds every account's "
                          "secret keys.");
    }
    TRY(check_space(parts_.space, SpaceFor::data, "a backup"));
    if (busy_.exchange(true)) {
        return Error::api(Code::failed_precondition, "IncorrectState",
                          "Another backup is under way. Wait for its end.");
    }
    std::unique_ptr<Backup> backup(new Backup(place(), busy_));
    for (int attempt = 1;; ++attempt) {
        Status filled = fill(*backup);
        if (filled) {
            return backup;
        }
        if (filled.error().code() != Code::conflict) {
            return std::move(filled).error();
        }
        log_info("backup", "begun again: " + filled.error().message());
        if (attempt == kAttempts) {
            return Error::api(Code::unavailable, "Unavailable",
                              "The store changes too fast for a backup just now: " +
                                  filled.error().message() + ". Try again.");
        }
    }
}

Status Backups::fill(Backup& backup) {
    TRY(clean_up());
    backup.files_.clear();
    for (const char* folder : {"", "/layers", "/objects", "/instances"}) {
        TRY(make_directories(backup.directory_ + folder, 0700));
    }
    TRY_ASSIGN(const auto cut, cut_all());
    return take(backup, cut);
}

// The layer of the others was never made: they are their base.
Result<std::vector<model::VolumeId>> Backups::written_volumes() {
    return parts_.store.read([](catalog::Transaction& tx) -> Result<std::vector<model::VolumeId>> {
        catalog::VolumeQuery query;
        query.states = {model::VolumeState::available, model::VolumeState::in_use};
        TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
        std::vector<model::VolumeId> written;
        for (const model::Volume& volume : volumes) {
            TRY_ASSIGN(const auto layer, tx.layers().find(volume.active_layer));
            if (layer && layer->state != model::LayerState::planned) {
                written.push_back(volume.id);
            }
        }
        return written;
    });
}

Result<std::vector<model::Snapshot>> Backups::draft(catalog::Transaction& tx,
                                                    const std::vector<model::VolumeId>& volumes) {
    const UnixMillis now = parts_.clock.now();
    std::vector<model::Snapshot> drafts;
    std::string ids;
    for (const model::VolumeId& id : volumes) {
        TRY_ASSIGN(const auto volume, tx.volumes().find(id));
        if (!volume || !model::next(volume->state, model::VolumeEvent::snapshot, volume->id)) {
            return changed(id.str());
        }
        const Caller owner{volume->owner_id, volume->region, false, {}};
        drafts.push_back(draft_snapshot(parts_, owner, *volume, kDescription, now));
        ids += (ids.empty() ? "" : ",") + drafts.back().id.str();
    }
    TRY(tx.meta().set(kSnapshotsKey, ids));
    return drafts;
}

Result<std::vector<Backups::CutVolume>> Backups::cut_all() {
    TRY_ASSIGN(const auto volumes, written_volumes());
    if (volumes.empty()) {
        return std::vector<CutVolume>();
    }
    const auto begin = [&](catalog::Transaction& tx) { return draft(tx, volumes); };
    const auto snapshots = cuts_.cut(volumes, begin);
    TRY(drop_snapshots());
    if (!snapshots) {
        return Error(snapshots.error()).with("cut the volumes");
    }
    std::vector<CutVolume> cut;
    for (const model::Snapshot& snapshot : *snapshots) {
        cut.push_back({snapshot.volume_id, snapshot.content});
    }
    // What was first written between the list and the cut is missing from it; what comes now was
    // written after it, and is in the copy as it was before.
    TRY_ASSIGN(const auto written, written_volumes());
    const std::set<model::VolumeId> known(volumes.begin(), volumes.end());
    for (const model::VolumeId& id : written) {
        if (known.count(id) == 0) {
            return changed(id.str());
        }
    }
    return cut;
}

// Layers are linked before the catalog is copied: the destage of what was cut a moment ago would
// take them away in between, each time anew. What is linked too much is dropped again.
Status Backups::take(Backup& backup, const std::vector<CutVolume>& cut) {
    const std::string path = backup.directory_ + "/" + kCatalog;
    {
        TRY_ASSIGN(const auto early, sealed_layers(parts_.store));
        TRY_ASSIGN(const auto linked, link_layers(early));
        TRY_ASSIGN(const auto copy, parts_.store.copy_to(path));
        for (const CutVolume& member : cut) {
            TRY_ASSIGN(const auto volume, copy->read([&](catalog::Transaction& tx) {
                return tx.volumes().find(member.volume);
            }));
            if (volume && volume->base_content != member.content) {
                return changed(member.volume.str());
            }
        }
        TRY(settle_copy(*copy));
        TRY_ASSIGN(const auto layers, sealed_layers(*copy));
        TRY(keep_layers(backup, layers, linked));
        TRY(link_packs(backup, *copy));
    }
    TRY(copy_small_files(backup));
    backup.files_.push_back(kCatalog);
    return ok();
}

Status Backups::link_file(const std::string& path) {
    const std::string from = data_directory_ + "/" + path;
    const std::string to = place() + "/" + path;
    if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) {
        return ok();
    }
    return errno == ENOENT ? Status(changed(path))
                           : Status(Error::from_errno(errno, "link " + from));
}

// Copied, not linked: the map of a sealed layer is written once more, when its data has got check
// sums. A copy that tells of them is older than the look for the other files, which finds them.
Result<std::set<model::LayerId>> Backups::copy_maps(const std::set<model::LayerId>& wanted) {
    std::set<model::LayerId> copied;
    for (const model::LayerId& layer : wanted) {
        const std::string map = map_of(layer);
        const Status done = copy_sparse(data_directory_ + "/" + map, place() + "/" + map);
        if (done) {
            copied.insert(layer);
        } else if (done.error().code() != Code::not_found) {
            return done.error();
        }
    }
    return copied;
}

// A layer's map is the first of its files to go: where it is there still, after the others were
// linked, all of them were.
Result<std::set<model::LayerId>> Backups::link_layers(const std::set<model::LayerId>& wanted) {
    TRY_ASSIGN(std::set<model::LayerId> whole, copy_maps(wanted));
    TRY_ASSIGN(const auto names, names_in(data_directory_ + "/layers"));
    for (const std::string& name : names) {
        const auto layer = layer_of(name);
        if (!layer || whole.count(*layer) == 0 || name.ends_with(".map")) {
            continue;
        }
        const Status linked = link_file("layers/" + name);
        if (!linked && linked.error().code() != Code::conflict) {
            return linked.error();
        }
        if (!linked) {
            whole.erase(*layer);
        }
    }
    std::erase_if(whole, [&](const auto& layer) {
        return ::access((data_directory_ + "/" + map_of(layer)).c_str(), F_OK) != 0;
    });
    return whole;
}

// Links what is missing of `layers`, and drops the others' links.
Status Backups::keep_layers(Backup& backup, const std::set<model::LayerId>& layers,
                            const std::set<model::LayerId>& linked) {
    std::set<model::LayerId> missing;
    std::ranges::set_difference(layers, linked, std::inserter(missing, missing.end()));
    TRY_ASSIGN(const auto late, link_layers(missing));
    if (late.size() != missing.size()) {
        return changed("a layer");
    }
    TRY_ASSIGN(const auto names, names_in(place() + "/layers"));
    for (const std::string& name : names) {
        const std::string path = "layers/" + name;
        if (layers.count(*layer_of(name)) != 0) {
            backup.files_.push_back(path);
        } else {
            TRY(remove_file(place() + "/" + path));
        }
    }
    return ok();
}

Status Backups::link_packs(Backup& backup, catalog::Store& copy) {
    for (const auto state : {model::PackState::stored, model::PackState::condemned}) {
        std::int64_t after = -1;
        while (true) {
            TRY_ASSIGN(const auto page, copy.read([&](catalog::Transaction& tx) {
                return tx.packs().list(state, after, kPage);
            }));
            for (const catalog::PackRow& row : page) {
                const auto id = block::PackId::from(row.pack.id);
                const std::string path = "objects/" + block::pack_name(copy.uuid(), id);
                TRY(link_file(path));
                backup.files_.push_back(path);
                after = row.number;
            }
            if (page.size() < kPage) {
                break;
            }
        }
    }
    return ok();
}

// What changes in place, a file of an instance or the account's: as it is at some moment.
Status Backups::copy_small_files(Backup& backup) {
    std::vector<std::string> paths = {"credentials", "config"};
    std::error_code error;
    for (const auto& entry :
         std::filesystem::directory_iterator(data_directory_ + "/instances", error)) {
        const std::string instance = "instances/" + entry.path().filename().string();
        const std::string variables = instance + "/" + compute::kUefiStoreFile;
        if (!std::filesystem::exists(data_directory_ + "/" + variables, error)) {
            continue;
        }
        TRY(make_directories(backup.directory_ + "/" + instance, 0700));
        paths.push_back(variables);
    }
    for (const std::string& path : paths) {
        const bool copied = std::filesystem::copy_file(data_directory_ + "/" + path,
                                                       backup.directory_ + "/" + path, error);
        if (copied) {
            backup.files_.push_back(path);
        } else if (error != std::errc::no_such_file_or_directory) {
            return Error(Code::io_error, "copy " + path + ": " + error.message());
        }
    }
    return ok();
}

}  // namespace kiln::control
