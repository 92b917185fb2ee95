// SPDX-License-Identifier: Apache-2.0
#include "control/store_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "block/layer_name.h"
#include "control/contents.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

constexpr char kLayers[] = "layers/";

}  // namespace

void StoreCheck::find(Finding finding) {
    ++summary_.findings;
    summary_.mended += finding.mended ? 1 : 0;
    sink_(finding);
}

Result<StoreSummary> StoreCheck::run() {
    TRY(load_names());
    check_references();
    TRY(check_packs(model::PackState::stored));
    TRY(check_packs(model::PackState::condemned));
    find_orphan_packs();
    check_layers();
    find_orphan_layers();
    check_contents();
    return summary_;
}

// --- 1: the catalog ---

Status StoreCheck::load_names() {
    return store_.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto contents, tx.contents().list({}));
        for (const model::Content& content : contents) {
            contents_[content.id] = content;
            children_.emplace(content.parent, content.id);
        }
        TRY_ASSIGN(const auto layers, tx.layers().list({}));
        for (const model::LayerRecord& layer : layers) {
            layers_[layer.id] = layer;
        }
        TRY_ASSIGN(snapshots_, tx.snapshots().list({}));
        TRY_ASSIGN(volumes_, tx.volumes().list({}));
        TRY_ASSIGN(const auto images, tx.images().list({}));
        for (const model::Image& image : images) {
            for (const auto& mapping : image.block_device_mappings) {
                if (mapping.ebs && !mapping.ebs->snapshot_id.empty()) {
                    images_.emplace(mapping.ebs->snapshot_id.str(), image.id.str());
                }
            }
        }
        TRY(tx.instances().list({}));
        TRY(tx.accounts().list({}));
        TRY(tx.access_keys().list({}));
        TRY(tx.key_pairs().list({}));
        TRY(tx.jobs().list({}));
        return ok();
    });
}

void StoreCheck::check_references() {
    const auto missing = [&](const std::string& who, const std::string& what,
                             std::vector<std::string> hit) {
        find({.kind = "catalog",
              .subject = who,
              .what = fmt::format("names {}, which is not there", what),
              .hit = std::move(hit)});
    };
    for (const model::Snapshot& snapshot : snapshots_) {
        if (snapshot.content.empty()) {
            continue;
        }
        names_.emplace(snapshot.content, snapshot.id.str());
        if (snapshot.state != model::SnapshotState::deleted &&
            !contents_.contains(snapshot.content)) {
            missing(snapshot.id.str(), "content " + snapshot.content.str(), {snapshot.id.str()});
        }
    }
    for (const model::Volume& volume : volumes_) {
        if (volume.state == model::VolumeState::deleted) {
            continue;
        }
        if (!volume.base_content.empty()) {
            names_.emplace(volume.base_content, volume.id.str());
        }
        active_[volume.active_layer] = volume.id;
        if (!volume.base_content.empty() && !contents_.contains(volume.base_content)) {
            missing(volume.id.str(), "content " + volume.base_content.str(), {volume.id.str()});
        }
        if (volume.state != model::VolumeState::deleting && !volume.active_layer.empty() &&
            !layers_.contains(volume.active_layer)) {
            missing(volume.id.str(), "layer " + volume.active_layer.str(), {volume.id.str()});
        }
    }
    for (const auto& [id, content] : contents_) {
        if (!content.parent.empty() && !contents_.contains(content.parent)) {
            missing(id.str(), "content " + content.parent.str(), hit_by(id));
        }
        for (const model::LayerId& layer : layers_of(content)) {
            if (!layers_.contains(layer)) {
                missing(id.str(), "layer " + layer.str(), hit_by(id));
            }
        }
        if (content.state == model::ContentState::layered && content.layer.empty()) {
            missing(id.str(), "neither layer nor tree", hit_by(id));
        }
    }
}

// Snapshots and volumes of the content and of all that stands on it, and the images of those.
std::vector<std::string> StoreCheck::hit_by(const model::ContentId& content) const {
    std::set<std::string> hit;
    std::set<model::ContentId> seen;
    std::vector<model::ContentId> look{content};
    while (!look.empty()) {
        const model::ContentId id = std::move(look.back());
        look.pop_back();
        if (!seen.insert(id).second) {
            continue;
        }
        for (auto [at, end] = names_.equal_range(id); at != end; ++at) {
            hit.insert(at->second);
            for (auto [image, last] = images_.equal_range(at->second); image != last; ++image) {
                hit.insert(image->second);
            }
        }
        for (auto [at, end] = children_.equal_range(id); at != end; ++at) {
            look.push_back(at->second);
        }
    }
    return {hit.begin(), hit.end()};
}

// Sorted. A directory that is not there has none.
std::vector<std::string> StoreCheck::files_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator at(options_.data_directory + "/" + folder, error);
    while (!error && at != std::filesystem::directory_iterator()) {
        names.push_back(at->path().filename().string());
        at.increment(error);
    }
    if (error && error != std::errc::no_such_file_or_directory) {
        find({.kind = "orphan", .subject = folder, .what = "cannot be listed: " + error.message()});
    }
    std::ranges::sort(names);
    return names;
}

void StoreCheck::find_orphan(const std::string& file, const std::string& what) {
    Finding finding{.kind = "orphan", .subject = file, .what = what, .mendable = true};
    if (options_.repair) {
        const Status moved = to_trash(file);
        finding.mended = moved.has_value();
        finding.what += moved ? "; moved to trash/" : "; " + moved.error().message();
    }
    find(std::move(finding));
}

Status StoreCheck::to_trash(const std::string& file) {
    const std::string directory = options_.data_directory + "/trash";
    TRY(make_directories(directory, 0700));
    const std::string name = std::filesystem::path(file).filename().string();
    std::string target = directory + "/" + name;
    for (int n = 1; ::access(target.c_str(), F_OK) == 0; ++n) {
        target = fmt::format("{}/{}.{}", directory, name, n);
    }
    if (::rename((options_.data_directory + "/" + file).c_str(), target.c_str()) != 0) {
        return Error::from_errno(errno, "move " + file);
    }
    return ok();
}

// --- 4: layers ---

void StoreCheck::check_layers() {
    for (const auto& [id, layer] : layers_) {
        ++summary_.layers;
        check_layer(layer);
    }
}

void StoreCheck::check_layer(const model::LayerRecord& layer) {
    if (layer.state == model::LayerState::dropping) {
        return;
    }
    const auto volume = active_.find(layer.id);
    std::vector<std::string> hit;
    if (volume != active_.end()) {
        hit = {volume->second.str()};
    }
    for (const auto& [id, content] : contents_) {
        const auto layers = layers_of(content);
        if (std::ranges::find(layers, layer.id) != layers.end()) {
            const auto more = hit_by(id);
            hit.insert(hit.end(), more.begin(), more.end());
        }
    }
    const auto damaged = [&](const std::string& what) {
        find({.kind = "layer", .subject = layer.id.str(), .what = what, .hit = hit});
    };
    const auto facts = engine_.layer_facts(block::LayerId(layer.id.str()), Deadline::never());
    if (!facts) {
        const bool missing = facts.error().code() == Code::not_found;
        if (!missing || layer.state != model::LayerState::planned) {
            damaged(missing ? "its files are missing" : facts.error().to_string());
        }
        return;
    }
    // Larger is fine: its volume was to grow, and did not yet.
    if (facts->size_bytes < layer.size_bytes) {
        damaged(fmt::format("it has {} bytes, the catalog says {}", facts->size_bytes,
                            layer.size_bytes));
    }
    if (volume != active_.end() && facts->volume != block::VolumeId(volume->second.str())) {
        damaged(fmt::format("it was written by {}, and is {}'s", facts->volume.str(),
                            volume->second.str()));
    }
    if (layer.state == model::LayerState::sealed && !facts->sealed) {
        damaged("the catalog calls it sealed, and it is not");
    }
}

void StoreCheck::find_orphan_layers() {
    for (const std::string& name : files_in(kLayers)) {
        const auto layer = block::layer_of_file(name);
        if (!layer || layers_.contains(model::LayerId(layer->str()))) {
            continue;
        }
        find_orphan(kLayers + name, "a file of a layer that the catalog does not know");
    }
}

// --- 5: contents ---

// All trees at once, shared parts once: nodes are read, chunks looked up in the index. What the
// packs hold was checked before.
bool StoreCheck::trees_are_whole() {
    std::vector<std::string> roots;
    for (const auto& [id, content] : contents_) {
        if (content.state == model::ContentState::rooted) {
            roots.push_back(content.root_digest);
        }
    }
    return packs_are_whole_ && engine_.mark(std::move(roots), Deadline::never()).has_value();
}

void StoreCheck::check_contents() {
    const bool whole = trees_are_whole();
    for (const auto& [id, content] : contents_) {
        ++summary_.contents;
        const auto layer = layers_.find(content.layer);
        const bool sealed =
            layer != layers_.end() && layer->second.state == model::LayerState::sealed;
        const bool rooted = content.state == model::ContentState::rooted;
        // What a cut left unsealed is settled by the next start; its layer is checked above.
        if (rooted || sealed) {
            check_content(content, rooted && !whole);
        }
    }
}

// Of a layered content its own layer only: what is below is another content's.
void StoreCheck::check_content(const model::Content& content, bool tree) {
    const block::VolumeId view("fsck");
    const auto damaged = [&](const std::string& what) {
        find({.kind = "content",
              .subject = content.id.str(),
              .what = what,
              .hit = hit_by(content.id)});
    };
    const Status opened =
        engine_.open_content(view, block::ContentId(content.id.str()), Deadline::never());
    if (!opened) {
        damaged(opened.error().to_string());
        return;
    }
    const std::size_t parts = layers_of(content).size() + (tree ? 1 : 0);
    std::optional<block::VerifyPlace> place{block::VerifyPlace{}};
    while (place && place->part < parts) {
        const auto page = engine_.verify(view, *place, Deadline::never());
        if (!page) {
            damaged(page.error().to_string());
            break;
        }
        for (const block::Damage& range : page->damage) {
            damaged(fmt::format(
                "bytes {} to {}: {} {}{}{}: {}", range.offset, range.offset + range.length,
                range.part, range.id, range.pack.empty() ? "" : " in pack " + range.pack,
                range.layer.empty() ? "" : "of layer " + range.layer.str(), range.why));
        }
        place = page->next;
    }
    const Status closed = engine_.close_volume(view, Deadline::never());
    if (!closed) {
        damaged(closed.error().to_string());
    }
}

}  // namespace kiln::control
