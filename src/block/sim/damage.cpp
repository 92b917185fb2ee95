// SPDX-License-Identifier: Apache-2.0
// Damage: bytes that change, sectors that cannot be read, writes and whole files in the wrong
// place. No engine can mask it. What is judged is that it is an error wherever the bytes are
// verified, and never a wrong byte (docs/internals/simulation.md, "Damage").
//
//   packs                         verified by the ids of their entries
//   map, journal of a sealed layer  by their checksums and by the seal at the end of the chain
//   the same of a layer in use    by their checksums; but what came last may be missing, and
//                                 nothing behind it tells. So bytes of an older time may be served,
//                                 of this volume or what it came from; never bytes of another place
//   data of a sealed layer        by the check sums that it gets when it is destaged, and those by
//                                 their own
//   data before that              as the device gives it: not damaged here, only lost with a write
//                                 that lands elsewhere
#include <algorithm>

#include "block/detail/layer_files.h"
#include "block/sim/history.h"

namespace kiln::block::sim {
namespace {

constexpr std::uint64_t kMostSpoilt = 8192;

std::optional<LayerId> layer_of_path(const std::string& path) {
    return path.starts_with("/store/") ? layer_of_file(std::string_view(path).substr(7))
                                       : std::nullopt;
}

}  // namespace

bool History::sealed(const LayerId& layer) const {
    return std::ranges::any_of(catalog_.contents, [&](const auto& row) {
        const auto layers = layers_of(row.second.record);
        return row.second.sealed && std::ranges::find(layers, layer) != layers.end();
    });
}

// Nobody who reads it now or later may be without its check sums: no loss of power takes them back,
// and none is just being told of them.
bool History::data_is_checked(const LayerId& layer) const {
    const auto map = machine_.disk.on_medium("/store/d-" + layer.str() + ".map");
    const auto superblock =
        map && !(process_->alive && (process_->destaging || process_->merging))
            ? choose_superblock(map->first(std::min(map->size(), kMapHeaderBytes)))
            : Result<Superblock>(Error(Code::not_found, "none"));
    return superblock && superblock->data_crc && superblock->layer_id == layer.str();
}

bool History::is_checked(const std::string& path) const {
    const auto layer = layer_of_path(path);
    return !layer || (path.ends_with(".blk") ? data_is_checked(*layer) : sealed(*layer));
}

// Files in which a changed byte must be noticed, or costs no more than what came last.
std::vector<std::string> History::checked_files() const {
    std::vector<std::string> found = machine_.disk.files();
    std::erase_if(found, [&](const std::string& path) {
        return path.ends_with(".blk") && !is_checked(path);
    });
    return found;
}

// Where there is something, if possible: most of a sparse file is never read.
std::optional<io::SimPlace> History::place_in(const std::string& path) {
    const ByteView bytes = machine_.disk.content(path);
    if (bytes.empty()) {
        return std::nullopt;
    }
    std::uint64_t offset = random_.below(bytes.size());
    for (int tries = 0; tries < 30 && bytes[offset] == 0; ++tries) {
        offset = random_.below(bytes.size());
    }
    return io::SimPlace{path, offset};
}

bool History::damage() {
    std::vector<std::string> files = checked_files();
    const std::uint64_t kind = random_.below(8);
    if (kind == 0 || kind == 1) {
        files = machine_.disk.files();
    }
    if (files.empty() || !damaging_) {
        return false;
    }
    // Data of sealed layers is there for a short time only.
    std::vector<std::string> data = files;
    std::erase_if(data, [&](const std::string& path) {
        return !path.ends_with(".blk") || !is_checked(path);
    });
    if (!data.empty() && random_.one_in(2)) {
        files = std::move(data);
    }
    const std::string path = files[random_.below(files.size())];
    const auto place = place_in(path);
    if (!place) {
        return false;
    }
    damaged_ = true;
    if (kind == 0 || kind == 1) {
        const std::uint64_t length = random_.between(1, kMostSpoilt);
        note("DAMAGE: " + path + " unreadable at " + std::to_string(place->offset) + "+" +
             std::to_string(length));
        machine_.disk.spoil(*place, length);
    } else if (kind == 2 || kind == 3) {
        note("DAMAGE: a write will go astray");
        machine_.disk.set_misdirection([this](const std::string& from, std::uint64_t) {
            return random_.one_in(4) ? astray(from) : std::nullopt;
        });
    } else if (kind == 4) {
        exchange_files(path, files);
    } else {
        rot(*place);
    }
    ++report_.counts["damages"];
    report_.counts["damages to data"] += path.ends_with(".blk") && is_checked(path) ? 1 : 0;
    return true;
}

void History::rot(const io::SimPlace& place) {
    // A bit, or all that a sector holds.
    const std::uint64_t bytes = random_.one_in(3) ? io::SimDisk::kSectorBytes : 1;
    note("DAMAGE: " + place.path + " rots at " + std::to_string(place.offset) + "+" +
         std::to_string(bytes));
    doubt_unless_checked(place.path);
    for (std::uint64_t i = 0; i < bytes; ++i) {
        const auto mask = static_cast<std::uint8_t>(bytes == 1 ? 1U << random_.below(8)
                                                               : random_.between(1, 255));
        machine_.disk.rot({place.path, place.offset + i}, mask);
    }
}

std::optional<io::SimPlace> History::astray(const std::string& from) {
    const auto files = checked_files();
    if (files.empty()) {
        return std::nullopt;
    }
    const std::string& to = files[random_.below(files.size())];
    const std::uint64_t sectors = machine_.disk.content(to).size() / io::SimDisk::kSectorBytes;
    const std::uint64_t offset = random_.below(sectors + 1) * io::SimDisk::kSectorBytes;
    note("DAMAGE: a write to " + from + " lands in " + to + " at " + std::to_string(offset));
    doubt_unless_checked(from);
    doubt_unless_checked(to);
    machine_.disk.set_misdirection({});
    return io::SimPlace{to, offset};
}

// Two of a kind: other files are refused at the first look.
void History::exchange_files(const std::string& path, std::vector<std::string> files) {
    const std::string ending = path.substr(path.size() - std::min<std::size_t>(4, path.size()));
    std::erase_if(files, [&](const std::string& other) {
        const bool objects = path.starts_with("/objects/") && other.starts_with("/objects/");
        return other == path || !(objects || other.ends_with(ending));
    });
    if (files.empty()) {
        return;
    }
    const std::string& other = files[random_.below(files.size())];
    note("DAMAGE: " + path + " and " + other + " change places");
    doubt_unless_checked(path);
    doubt_unless_checked(other);
    machine_.disk.exchange(path, other);
}

// --- what is not promised any more ---

void History::doubt_unless_checked(const std::string& path) {
    const auto layer = layer_of_path(path);
    if (is_checked(path)) {
        return;
    }
    for (auto& [id, content] : catalog_.contents) {
        for (ContentId at = id; !at.empty() && !content.doubtful;) {
            const auto found = catalog_.contents.find(at);
            if (found == catalog_.contents.end()) {
                break;
            }
            const auto layers = layers_of(found->second.record);
            content.doubtful = std::ranges::find(layers, *layer) != layers.end();
            at = found->second.record.parent;
        }
        if (content.doubtful && content.truth) {
            content.truth->doubtful = true;
        }
    }
    for (const auto& [id, volume] : catalog_.volumes) {
        const auto base = catalog_.contents.find(volume->base);
        volume->doubtful = volume->doubtful || volume->active == *layer ||
                           (base != catalog_.contents.end() && base->second.doubtful);
    }
}

// Zeros, or what somebody wrote to this place of it, or of what it came from.
std::string History::implausible(const std::set<VolumeId>& lineage, std::uint64_t first_cell,
                                 ByteView bytes) const {
    for (std::uint64_t at = 0; at < bytes.size(); at += kCellBytes) {
        const std::uint64_t cell = first_cell + at / kCellBytes;
        const auto value = cell_value(bytes.data() + at, cell);
        const auto writer = value ? writers_.find(*value) : writers_.end();
        const bool known =
            value == 0 || (writer != writers_.end() && lineage.contains(writer->second));
        if (!known) {
            return "after damage, " + describe_cell(cell, bytes.subspan(at, kCellBytes)) +
                   ", which nobody wrote there";
        }
    }
    return {};
}

}  // namespace kiln::block::sim
