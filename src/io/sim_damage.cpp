// SPDX-License-Identifier: Apache-2.0
// What a SimDisk does that no device should, when a test asks for it.
#include "io/sim_disk.h"

namespace kiln::io {
namespace {

constexpr std::uint64_t kHoleBytes = 4096;  // what a file system frees at once

}  // namespace

std::vector<std::string> SimDisk::files() const {
    std::vector<std::string> paths;
    for (const auto& [path, file] : names_) {
        paths.push_back(path);
    }
    return paths;
}

SimDisk::File& SimDisk::named(const std::string& path) const {
    const auto found = names_.find(path);
    INVARIANT(found != names_.end());
    return *found->second;
}

ByteView SimDisk::content(const std::string& path) const {
    return named(path).cache;
}

std::optional<ByteView> SimDisk::on_medium(const std::string& path) const {
    const auto found = durable_names_.find(path);
    return found == durable_names_.end() ? std::nullopt
                                         : std::optional<ByteView>(found->second->durable);
}

std::string SimDisk::path_of(FileId file) const {
    const auto found = handles_.find(file.value);
    return found == handles_.end() ? std::string() : found->second.path;
}

void SimDisk::rot(const SimPlace& place, std::uint8_t mask) {
    File& file = named(place.path);
    for (Bytes* bytes : {&file.cache, &file.durable}) {
        if (place.offset < bytes->size()) {
            (*bytes)[place.offset] ^= mask;
        }
    }
    // What was written and not synced is on its way to the same sector.
    for (Change& change : file.changes) {
        if (change.kind == ChangeKind::write && place.offset >= change.offset &&
            place.offset < change.offset + change.length) {
            change.data[place.offset - change.offset] ^= mask;
        }
    }
}

void SimDisk::spoil(const SimPlace& place, std::uint64_t length) {
    File& file = named(place.path);
    for (std::uint64_t sector = place.offset / kSectorBytes;
         sector * kSectorBytes < place.offset + length; ++sector) {
        file.spoilt.insert(sector);
    }
}

bool SimDisk::unreadable(const File& file, std::uint64_t offset, std::uint64_t length) {
    const auto first = file.spoilt.lower_bound(offset / kSectorBytes);
    return first != file.spoilt.end() && *first * kSectorBytes < offset + length;
}

// What is written anew gets another sector of the device.
void SimDisk::mend(File& file, const Change& change) {
    const bool cut = change.kind == ChangeKind::resize;
    const std::uint64_t unit = change.kind == ChangeKind::punch ? kHoleBytes : kSectorBytes;
    if (change.kind == ChangeKind::extend) {
        return;
    }
    const std::uint64_t from = cut ? change.length : change.offset;
    const std::uint64_t until = cut ? kNever : (change.offset + change.length) / unit * unit;
    const std::uint64_t first = (from + unit - 1) / unit * unit;
    std::erase_if(file.spoilt, [&](std::uint64_t sector) {
        return sector * kSectorBytes >= first && sector * kSectorBytes < until;
    });
}

void SimDisk::exchange(const std::string& one, const std::string& other) {
    std::swap(named(one), named(other));
}

}  // namespace kiln::io
