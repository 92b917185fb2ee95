// SPDX-License-Identifier: Apache-2.0
#include "block/detail/map_file.h"

#include "block/detail/join.h"
#include "block/limits.h"

namespace kiln::block {

MapFile::MapFile(const LayerContext& context, io::FileId file, Superblock superblock,
                 MapTables tables)
    : context_(context),
      file_(file),
      superblock_(std::move(superblock)),
      tables_(std::move(tables)),
      pending_root_(superblock_.root) {
    if (!superblock_.map_pages) {
        // From before there were checkpoints. The file says so with the first one.
        superblock_.directory_pages = context.geometry.directory_pages;
    }
}

bool MapFile::extend(std::uint64_t size_bytes) {
    INVARIANT(items_.empty() && !extended_ && size_bytes > superblock_.size_bytes);
    const MapLayout now(superblock_);
    extended_ = superblock_;
    extended_->size_bytes = size_bytes;
    const std::uint64_t needed = MapLayout(*extended_).directories();
    if (needed <= now.room()) {
        return false;
    }
    // Behind the map of now, which stays as it is until the superblock has changed. With room, so
    // that this does not happen again soon.
    extended_->map_start = now.end();
    extended_->map_directories = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(kMaxDirectories, std::max(kMovedMapRoom, 4 * needed)));
    return true;
}

void MapFile::write_pages(PresenceMap& presence, Done done) {
    INVARIANT(items_.empty());
    presence_ = &presence;
    pages_done_ = std::move(done);
    const MapLayout layout(target());
    // A table holds what its children's entries became, so it comes after them.
    std::vector<MapItem> directories;
    for (const std::uint64_t page : presence.frozen()) {
        items_.push_back({MapPart::page, page});
        const std::uint64_t directory = layout.directory_of(page);
        if (directories.empty() || directories.back().number != directory) {
            directories.push_back({MapPart::directory, directory});
        }
    }
    if (items_.empty()) {
        context_.scheduler.post([this] { pages_written(); });
        return;
    }
    items_.insert(items_.end(), directories.begin(), directories.end());
    items_.push_back({MapPart::root, 0});
    next_item_ = 0;
    write_batch();
}

MapTables::Directory& MapFile::pending_directory(std::uint64_t number) {
    const auto pending = pending_.directories.find(number);
    if (pending != pending_.directories.end()) {
        return pending->second;
    }
    MapTables::Directory& made = pending_.directories[number];
    const auto found = tables_.directories.find(number);
    if (found != tables_.directories.end() && !moves()) {
        made = found->second;
    }
    made.pages.resize(MapLayout(target()).entries({MapPart::directory, number}));
    return made;
}

MapEntry& MapFile::pending_entry(MapItem item) {
    switch (item.part) {
        case MapPart::root:
            return pending_root_;
        case MapPart::directory:
            return pending_directory(item.number).entry;
        case MapPart::page:
            break;
    }
    const MapLayout layout(target());
    return pending_directory(layout.directory_of(item.number))
        .pages[layout.index_in_directory(item.number)];
}

Bytes MapFile::encode(MapItem item) {
    const MapLayout layout(target());
    Bytes slot(layout.slot_bytes(item.part), 0);
    if (item.part == MapPart::page) {
        presence_->take(item.number, slot);
    } else if (item.part == MapPart::directory) {
        put_entries(pending_directory(item.number).pages, slot);
    } else {
        std::vector<MapEntry> root(layout.directories());
        for (const auto* tables : {&tables_, &pending_}) {
            if (tables == &tables_ && moves()) {
                continue;  // all of it is pending
            }
            for (const auto& [number, directory] : tables->directories) {
                root[number] = directory.entry;
            }
        }
        put_entries(root, slot);
    }
    return slot;
}

void MapFile::write_batch() {
    if (next_item_ == items_.size()) {
        sync_then([this](Status synced) {
            if (synced) {
                pages_written();
            } else {
                pages_done_(std::move(synced));
            }
        });
        return;
    }
    const MapLayout layout(target());
    const std::uint64_t gen = superblock_.generation + 1;
    const std::size_t end = std::min(items_.size(), next_item_ + kMapBatch);
    auto join = Join::create([this](Status written) {
        if (written) {
            write_batch();
        } else {
            pages_done_(std::move(written));
        }
    });
    buffers_.clear();
    for (; next_item_ < end; ++next_item_) {
        const MapItem item = items_[next_item_];
        buffers_.push_back(encode(item));
        const Bytes& slot = buffers_.back();
        MapEntry& entry = pending_entry(item);
        entry = {.crc = map_crc(item, gen, slot),
                 .slot = entry.exists() ? 1 - entry.slot : 0,
                 .gen = gen};
        context_.io.submit(io::Op::write(file_, layout.offset(item, entry.slot), slot),
                           join->arm_io());
    }
    join->ready();
}

void MapFile::pages_written() {
    items_.clear();
    buffers_.clear();
    pages_done_(ok());
}

void MapFile::abandon_pages() {
    items_.clear();
    buffers_.clear();
    extended_.reset();
    pending_.directories.clear();
    pending_root_ = superblock_.root;
}

void MapFile::write_superblock(Superblock next, Done done) {
    next.generation = superblock_.generation + 1;
    next.root = pending_root_;
    next.size_bytes = target().size_bytes;
    next.map_start = target().map_start;
    next.map_directories = target().map_directories;
    superblock_bytes_ = encode_superblock(next);
    context_.io.submit(io::Op::write(file_, superblock_offset(next.generation), superblock_bytes_),
                       [this, next = std::move(next),
                        done = std::move(done)](Result<std::uint64_t> written) mutable {
                           if (!written) {
                               done(std::move(written.error()));
                               return;
                           }
                           sync_then([this, next = std::move(next),
                                      done = std::move(done)](Status synced) mutable {
                               if (synced) {
                                   if (moves()) {
                                       tables_.directories.clear();
                                   }
                                   extended_.reset();
                                   superblock_ = std::move(next);
                                   for (auto& [number, directory] : pending_.directories) {
                                       tables_.directories[number] = std::move(directory);
                                   }
                                   pending_.directories.clear();
                               }
                               done(std::move(synced));
                           });
                       });
}

void MapFile::sync_then(Done done) {
    if (!context_.durable) {
        context_.scheduler.post([done = std::move(done)]() mutable { done(ok()); });
        return;
    }
    context_.io.submit(io::Op::sync_data(file_), [done = std::move(done)](
                                                     Result<std::uint64_t> synced) mutable {
        // Whatever it says, what reached the device cannot be known: final.
        done(synced ? ok()
                    : Status(Error(Code::io_error, "sync the map: " + synced.error().message())));
    });
}

}  // namespace kiln::block
