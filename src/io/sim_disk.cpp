// SPDX-License-Identifier: Apache-2.0
#include "io/sim_disk.h"

#include <algorithm>
#include <cerrno>

#include "io/buffer.h"
#include "io/detail/blocking.h"

namespace kiln::io {
namespace {

// The unit in which a file system gives space.
constexpr std::uint64_t kSpaceBytes = 4096;

std::string directory_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

void put(Bytes& image, std::uint64_t offset, ByteView data) {
    if (image.size() < offset + data.size()) {
        image.resize(offset + data.size(), 0);
    }
    std::copy(data.begin(), data.end(), image.begin() + static_cast<std::ptrdiff_t>(offset));
}

void put_zeros(Bytes& image, std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t end = std::min<std::uint64_t>(offset + length, image.size());
    for (std::uint64_t at = offset; at < end; ++at) {
        image[at] = 0;
    }
}

bool aligned(const Op& op) {
    return op.offset % Buffer::kAlignment == 0 && op.length % Buffer::kAlignment == 0 &&
           is_aligned(op.data);
}

}  // namespace

Result<std::uint64_t> SimDisk::execute(const Op& op, std::uint64_t submitted) {
    switch (op.kind) {
        case OpKind::open:
            return open(op);
        case OpKind::unlink:
            if (names_.contains(op.path)) {
                change_name(op.path, {}, nullptr);
            }
            return 0;
        case OpKind::rename:
            return rename(op);
        case OpKind::sync_dir:
            return sync_dir(op, submitted);
        case OpKind::list:
            return list(op);
        default:
            break;
    }
    const auto found = handles_.find(op.file.value);
    if (found == handles_.end()) {
        return op_error(op, EBADF);
    }
    const Handle handle = found->second;
    switch (op.kind) {
        case OpKind::close:
            handles_.erase(found);
            return 0;
        case OpKind::read:
            return read(op, handle);
        case OpKind::write:
            return write(op, handle);
        case OpKind::size:
            return handle.file->cache.size();
        case OpKind::sync_data:
        case OpKind::sync:
            return sync(op, handle, submitted);
        default:
            return resize(op, handle);
    }
}

Result<std::uint64_t> SimDisk::open(const Op& op) {
    auto found = names_.find(op.path);
    if (found == names_.end()) {
        if (!op.mode.create) {
            return op_error(op, ENOENT);
        }
        if (full()) {
            return op_error(op, ENOSPC);
        }
        change_name({}, op.path, std::make_shared<File>());
        found = names_.find(op.path);
    }
    if (op.mode.truncate && !found->second->cache.empty()) {
        change(*found->second, {.kind = ChangeKind::resize});
    }
    const std::int64_t id = next_handle_++;
    handles_[id] = Handle{found->second, op.path, op.mode.write, op.mode.direct};
    return static_cast<std::uint64_t>(id);
}

Result<std::uint64_t> SimDisk::read(const Op& op, const Handle& handle) {
    if (handle.direct && !aligned(op)) {
        return op_error(op, EINVAL);
    }
    if (random_.per_mille(faults_.read_error)) {
        return op_error(op, EIO);
    }
    if (unreadable(*handle.file, op.offset, op.length)) {
        return op_error(op, EIO);
    }
    const Bytes& cache = handle.file->cache;
    if (op.offset >= cache.size()) {
        return 0;
    }
    const std::uint64_t length = std::min<std::uint64_t>(op.length, cache.size() - op.offset);
    std::copy_n(cache.begin() + static_cast<std::ptrdiff_t>(op.offset), length, op.data);
    return length;
}

bool SimDisk::full() {
    ++allocations_;
    return (allocations_ >= full_from_ && allocations_ < full_until_) ||
           random_.per_mille(faults_.no_space);
}

bool SimDisk::needs_space(const File& file, std::uint64_t offset, std::uint64_t length) const {
    for (std::uint64_t block = offset / kSpaceBytes; block * kSpaceBytes < offset + length;
         ++block) {
        if (block >= file.allocated.size() || !file.allocated[block]) {
            return true;
        }
    }
    return false;
}

Result<std::uint64_t> SimDisk::write(const Op& op, const Handle& handle) {
    if (!handle.write) {
        return op_error(op, EBADF);
    }
    if (handle.direct && !aligned(op)) {
        return op_error(op, EINVAL);
    }
    if (op.offset + op.length > kMaxFileBytes) {
        return op_error(op, EFBIG);
    }
    const bool refused = needs_space(*handle.file, op.offset, op.length) && full();
    if (refused || random_.per_mille(faults_.write_error)) {
        const std::uint64_t unit = refused ? kSpaceBytes : kSectorBytes;
        execute_part(op, std::min(op.length, random_.below(op.length / unit + 1) * unit));
        return op_error(op, refused ? ENOSPC : EIO);
    }
    execute_part(op, op.length);
    return op.length;
}

void SimDisk::execute_part(const Op& op, std::uint64_t bytes) {
    const auto found = handles_.find(op.file.value);
    if (bytes == 0 || found == handles_.end() || !found->second.write) {
        return;
    }
    File* file = found->second.file.get();
    std::uint64_t offset = op.offset;
    if (const auto place = misdirect_ ? misdirect_(found->second.path, op.offset) : std::nullopt) {
        file = &named(place->path);
        offset = place->offset;
        bytes = offset < file->cache.size() ? std::min(bytes, file->cache.size() - offset) : 0;
        if (bytes == 0) {
            return;
        }
    }
    change(*file, {.kind = ChangeKind::write,
                   .offset = offset,
                   .length = bytes,
                   .data = Bytes(op.data, op.data + bytes)});
}

Result<std::uint64_t> SimDisk::resize(const Op& op, const Handle& handle) {
    if (!handle.write) {
        return op_error(op, EBADF);
    }
    if (op.offset + op.length > kMaxFileBytes) {
        return op_error(op, EFBIG);
    }
    if (random_.per_mille(faults_.write_error)) {
        return op_error(op, EIO);
    }
    Change done{.offset = op.offset, .length = op.length};
    if (op.kind == OpKind::punch) {
        done.kind = ChangeKind::punch;
    } else if (op.kind == OpKind::truncate) {
        done.kind = ChangeKind::resize;
    } else {
        INVARIANT(op.kind == OpKind::allocate);
        if (full()) {
            return op_error(op, ENOSPC);
        }
        done.kind = ChangeKind::extend;
    }
    change(*handle.file, std::move(done));
    return 0;
}

// Makes the change visible, and remembers it until something makes it durable.
void SimDisk::change(File& file, Change change) {
    change.at = ++effects_;
    const std::uint64_t end = change.offset + change.length;
    const std::uint64_t blocks = (end + kSpaceBytes - 1) / kSpaceBytes;
    switch (change.kind) {
        case ChangeKind::write:
            put(file.cache, change.offset, change.data);
            break;
        case ChangeKind::punch:
            put_zeros(file.cache, change.offset, change.length);
            break;
        case ChangeKind::resize:
            file.cache.resize(change.length, 0);
            file.allocated.resize(std::min<std::uint64_t>(blocks, file.allocated.size()));
            break;
        case ChangeKind::extend:
            file.cache.resize(std::max<std::uint64_t>(file.cache.size(), end), 0);
            break;
    }
    if (change.kind != ChangeKind::resize) {
        file.allocated.resize(std::max<std::uint64_t>(file.allocated.size(), blocks));
        for (std::uint64_t block = change.offset / kSpaceBytes; block < blocks; ++block) {
            file.allocated[block] = change.kind != ChangeKind::punch;
        }
    }
    if (!file.spoilt.empty()) {
        mend(file, change);
    }
    file.changes.push_back(std::move(change));
}

// --- what reaches the medium ---

SimDisk::Fate SimDisk::random_fate() {
    if (forced_fate_) {
        return *forced_fate_;
    }
    const Fate fates[] = {Fate::kept, Fate::lost, Fate::mixed, Fate::mixed};
    return fates[random_.below(std::size(fates))];
}

void SimDisk::settle(File& file, const Change& change, Fate fate) {
    Bytes& image = file.durable;
    if (fate == Fate::mixed && (change.kind == ChangeKind::resize ||
                                change.kind == ChangeKind::extend || random_.one_in(2))) {
        fate = random_.one_in(2) ? Fate::kept : Fate::lost;
    }
    if (fate == Fate::lost) {
        return;
    }
    switch (change.kind) {
        case ChangeKind::resize:
            image.resize(change.length, 0);
            return;
        case ChangeKind::extend:
            image.resize(std::max<std::uint64_t>(image.size(), change.offset + change.length), 0);
            return;
        case ChangeKind::write:
        case ChangeKind::punch:
            break;
    }
    // A device writes sectors; a file system frees blocks.
    const std::uint64_t unit = change.kind == ChangeKind::write ? kSectorBytes : Buffer::kAlignment;
    const std::uint64_t end = change.offset + change.length;
    for (std::uint64_t at = change.offset; at < end;) {
        const std::uint64_t next = std::min(end, (at / unit + 1) * unit);
        if (fate == Fate::kept || random_.one_in(2)) {
            if (change.kind == ChangeKind::write) {
                put(image, at, ByteView(change.data).subspan(at - change.offset, next - at));
            } else {
                put_zeros(image, at, next - at);
            }
        }
        at = next;
    }
}

Result<std::uint64_t> SimDisk::sync(const Op& op, const Handle& handle, std::uint64_t submitted) {
    const bool failed = random_.per_mille(faults_.sync_error);
    const Fate fate = failed ? random_fate() : Fate::kept;
    auto& changes = handle.file->changes;
    while (!changes.empty() && changes.front().at <= submitted) {
        settle(*handle.file, changes.front(), fate);
        changes.pop_front();
    }
    if (failed) {
        ++failed_syncs_;
        return op_error(op, EIO);
    }
    return 0;
}

Result<std::uint64_t> SimDisk::sync_dir(const Op& op, std::uint64_t submitted) {
    if (random_.per_mille(faults_.sync_error)) {
        return op_error(op, EIO);  // the names are still to be synced
    }
    std::deque<NameChange> rest;
    for (NameChange& change : name_changes_) {
        const std::string& path = change.to.empty() ? change.from : change.to;
        if (change.at > submitted || directory_of(path) != op.path) {
            rest.push_back(std::move(change));
            continue;
        }
        durable_names_.erase(change.from);
        if (!change.to.empty()) {
            durable_names_[change.to] = change.file;
        }
    }
    name_changes_ = std::move(rest);
    return 0;
}

void SimDisk::lose_power() {
    const Fate names = random_fate();
    for (const NameChange& change : name_changes_) {
        if (names == Fate::kept || (names == Fate::mixed && random_.one_in(2))) {
            durable_names_.erase(change.from);
            if (!change.to.empty()) {
                durable_names_[change.to] = change.file;
            }
        }
    }
    name_changes_.clear();
    names_ = durable_names_;
    failed_syncs_ = 0;
    std::set<const File*> seen;
    for (const auto& [name, file] : names_) {
        if (!seen.insert(file.get()).second) {
            continue;
        }
        // One fate for a file most of the time: data without journal and journal without data are
        // the interesting cases.
        const Fate fate = random_fate();
        for (const Change& change : file->changes) {
            settle(*file, change, fate);
        }
        file->changes.clear();
        file->cache = file->durable;
        file->allocated.resize((file->cache.size() + kSpaceBytes - 1) / kSpaceBytes);
    }
}

void SimDisk::crash(Crash kind) {
    handles_.clear();
    if (kind == Crash::power_loss) {
        lose_power();
    }
}

// --- names ---

void SimDisk::change_name(std::string from, std::string to, FileRef file) {
    names_.erase(from);
    if (!to.empty()) {
        names_[to] = file;
    }
    name_changes_.push_back({++effects_, std::move(from), std::move(to), std::move(file)});
}

Result<std::uint64_t> SimDisk::rename(const Op& op) {
    const auto found = names_.find(op.path);
    if (found == names_.end()) {
        return op_error(op, ENOENT);
    }
    INVARIANT(directory_of(op.path) == directory_of(op.new_path));
    if (!names_.contains(op.new_path) && full()) {
        return op_error(op, ENOSPC);  // a directory has blocks, too
    }
    change_name(op.path, op.new_path, found->second);
    return 0;
}

Result<std::uint64_t> SimDisk::list(const Op& op) const {
    const std::string prefix = op.path + "/";
    for (auto it = names_.lower_bound(prefix); it != names_.end() && it->first.starts_with(prefix);
         ++it) {
        op.names->push_back(it->first.substr(prefix.size()));
    }
    return op.names->size();
}

}  // namespace kiln::io
