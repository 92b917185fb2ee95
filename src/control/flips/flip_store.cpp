// SPDX-License-Identifier: Apache-2.0
#include "control/flips/flip_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "catalog/sqlite_store.h"
#include "objects/file_object_store.h"
#include "util/check.h"
#include "util/fs.h"

namespace kiln::control::flips {
namespace {

constexpr char kCatalog[] = "catalog.sqlite";
// Small, so that a random byte is seldom one that nothing uses.
constexpr block::Geometry kGeometry{.shard_bytes = 64U << 10,
                                    .page_blocks = 64,
                                    .journal_bytes = 64U << 10,
                                    .journal_first_bytes = 4U << 10};
constexpr block::ImageGeometry kImages{
    .chunk_bytes = 16384, .leaf_chunks = 4, .fan_out = 4, .height = 2};

Deadline soon() {
    return Deadline::after(std::chrono::seconds(60));
}

template <class T>
T must(Result<T> result) {
    INVARIANT_MSG(result, result ? "" : result.error().to_string().c_str());
    return *std::move(result);
}
void must(const Status& status) {
    INVARIANT_MSG(status, status ? "" : status.error().to_string().c_str());
}

void put(const std::string& path, std::uint64_t offset, ByteView bytes) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    INVARIANT(fd && ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
                        static_cast<ssize_t>(bytes.size()));
}

}  // namespace

const char* name_of(Part part) {
    switch (part) {
        case Part::packs:
            return "packs";
        case Part::sealed_maps:
            return "maps of sealed layers";
        case Part::sealed_journals:
            return "journals of sealed layers";
        case Part::sealed_data:
            return "data of sealed layers";
        case Part::sealed_crcs:
            return "check sums of that data";
        case Part::active_map:
            return "map of the active layer";
        case Part::active_journal:
            return "journal of the active layer";
        case Part::catalog:
            return "catalog";
    }
    return "";
}

FlipStore::FlipStore(std::string directory, std::uint64_t seed)
    : directory_(std::move(directory)), random_(seed), clock_(io::make_system_clock()) {}

FlipStore::~FlipStore() {
    close();
}

std::unique_ptr<FlipStore> FlipStore::build(const std::string& directory, std::uint64_t seed) {
    std::unique_ptr<FlipStore> made(new FlipStore(directory, seed));
    must(make_directories(directory + "/objects", 0700));
    made->open();
    INVARIANT(made->engine_ != nullptr);
    made->fill();
    made->close();
    made->remember();
    return made;
}

// Without an engine or a store when that is refused.
void FlipStore::open() {
    if (!store_) {
        auto store = catalog::open_sqlite_store(
            {.path = path(kCatalog), .durable = false, .readers = 2}, rng_);
        if (!store) {
            return;
        }
        store_ = *std::move(store);
    }
    lookups_ = std::make_unique<Executor>("lookups", 1, 1024);
    index_ = std::make_unique<Executor>("index", 1, 1024);
    contents_ = std::make_unique<CatalogContents>(*store_, *lookups_);
    block::ImageTier images;
    images.objects =
        [this](io::Io& io,
               io::Scheduler& scheduler) -> Result<std::unique_ptr<objects::ObjectStore>> {
        return std::make_unique<objects::FileObjectStore>(
            io, scheduler,
            objects::FileStoreOptions{.directory = path("objects"), .durable = false});
    };
    images.index = [this](io::Scheduler& scheduler) -> std::unique_ptr<block::ChunkIndex> {
        return std::make_unique<CatalogChunkIndex>(*store_, *index_, *clock_, scheduler);
    };
    images.cache_bytes = 4U << 20;  // of this engine, which reads one flip
    images.worker_threads = 1;
    images.geometry = kImages;
    engine_ = must(block::Engine::create({.directory = path("layers"),
                                          .store_uuid = store_->uuid(),
                                          .durable = false,
                                          .geometry = kGeometry,
                                          .boot_id = "boot-1"},
                                         std::move(images), *contents_, *clock_, rng_));
}

void FlipStore::close() {
    engine_.reset();
    contents_.reset();
    index_.reset();
    lookups_.reset();
    store_.reset();
}

// --- the store as it is meant to be ---

model::LayerId FlipStore::add_layer(model::LayerState state) {
    model::LayerRecord layer;
    layer.id = model::make_id<model::LayerId>(rng_);
    layer.state = state;
    layer.size_bytes = kStoreBytes;
    must(store_->run([&](catalog::Transaction& tx) { return tx.layers().insert(layer); }));
    return layer.id;
}

void FlipStore::write(std::uint64_t offset, std::uint64_t length) {
    const MutableByteView into(bytes_.data() + offset, length);
    rng_.fill(into);
    must(engine_->write(block_id(volume_), offset, into, soon()));
}

void FlipStore::zero(std::uint64_t offset, std::uint64_t length) {
    std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, std::uint8_t{0});
    must(engine_->zero(block_id(volume_), offset, length, soon()));
}

// As CreateSnapshot does: the rows, then the cut, then what became of it.
model::ContentId FlipStore::cut() {
    model::Content content;
    content.id = model::make_id<model::ContentId>(rng_);
    content.parent = base_;
    content.layer = active_;
    content.size_bytes = kStoreBytes;
    model::Snapshot snapshot;
    snapshot.id = model::make_id<model::SnapshotId>(rng_);
    snapshot.state = model::SnapshotState::completed;
    snapshot.volume_id = volume_;
    snapshot.content = content.id;
    const model::LayerId next = add_layer(model::LayerState::open);
    must(store_->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.contents().insert(content));
        TRY(tx.snapshots().insert(snapshot));
        TRY_ASSIGN(auto layer, tx.layers().get(active_));
        layer.state = model::LayerState::sealed;
        TRY(tx.layers().update(layer));
        TRY_ASSIGN(auto volume, tx.volumes().get(volume_));
        volume.base_content = content.id;
        volume.active_layer = next;
        return tx.volumes().update(volume);
    }));
    must(engine_
             ->cut_volumes({{block_id(volume_), block_id(next), block_id(content.id)}}, "set-1",
                           soon())
             .status);
    sealed_.push_back(active_);
    active_ = next;
    base_ = content.id;
    snapshots_[snapshot.id] = bytes_;
    return content.id;
}

void FlipStore::store_tree(const model::ContentId& id) {
    const auto tree = must(engine_->destage(block_id(id), 1, soon()));
    model::LayerId layer;
    must(store_->run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto content, tx.contents().get(id));
        content.state = model::ContentState::rooted;
        content.root_digest = tree.root_digest;
        content.parent = {};
        layer = std::exchange(content.layer, {});
        TRY(tx.contents().update(content));
        return tx.layers().erase(layer);
    }));
    must(engine_->content_rooted(block_id(id), soon()));
    must(engine_->drop_layer(block_id(layer), soon()));
    std::erase(sealed_, layer);
}

// Many of them are enough for a checkpoint, with records behind it.
void FlipStore::scribble(int times, std::uint64_t bytes) {
    for (int i = 0; i < times; ++i) {
        write(random_.below(kStoreBytes - bytes), bytes);
        zero(random_.below(kStoreBytes - 4096) / 4096 * 4096, 4096);
    }
}

void FlipStore::fill() {
    bytes_.assign(kStoreBytes, 0);
    model::Volume volume;
    volume.id = volume_ = model::make_id<model::VolumeId>(rng_);
    volume.state = model::VolumeState::available;
    volume.active_layer = active_ = add_layer(model::LayerState::open);
    must(store_->run([&](catalog::Transaction& tx) { return tx.volumes().insert(volume); }));
    must(engine_->open_volume({block_id(volume_), kStoreBytes, {}, block_id(active_), true},
                              soon()));
    write(0, 300'000);
    write(400'000, 60'000);
    store_tree(cut());
    scribble(12, 9000);
    zero(100'000, 50'000);
    cut();
    scribble(150, 4096);
    // A destage that is not committed leaves the layers, which have their check sums from then on.
    must(engine_->destage(block_id(cut()), 1, soon()));
    scribble(150, 4096);
    must(engine_->flush(block_id(volume_), soon()));
    must(engine_->close_volume(block_id(volume_), soon()));
}

void FlipStore::remember() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
        if (!entry.is_regular_file()) {
            continue;
        }
        const std::string file = std::filesystem::relative(entry.path(), directory_).string();
        const std::string text = must(read_file(entry.path().string(), 64U << 20));
        pristine_[file] = Bytes(text.begin(), text.end());
        const bool is_active = file.find(active_.str()) != std::string::npos;
        if (file == kCatalog) {
            files_[Part::catalog].push_back(file);
        } else if (file.starts_with("objects/")) {
            files_[Part::packs].push_back(file);
        } else if (file.ends_with(".map")) {
            files_[is_active ? Part::active_map : Part::sealed_maps].push_back(file);
        } else if (file.ends_with(".jnl")) {
            files_[is_active ? Part::active_journal : Part::sealed_journals].push_back(file);
        } else if (file.ends_with(".blk") && !is_active) {
            files_[Part::sealed_data].push_back(file);
        } else if (file.ends_with(".crc")) {
            files_[Part::sealed_crcs].push_back(file);
        }
    }
    for (const Part part : kParts) {
        INVARIANT(!files_[part].empty());
        std::ranges::sort(files_[part]);
    }
    find_rows();
}

// --- one flip ---

std::uint64_t FlipStore::random_place(const std::string& file, io::SimRandom& random) const {
    constexpr std::uint64_t kSector = 512;
    // A row of the catalog with one of our ids, and what is beside it.
    constexpr std::uint64_t kRow = 256;
    const Bytes& bytes = pristine_.at(file);
    if (file == kCatalog && random.below(4) != 0) {
        const std::uint64_t row = rows_[random.below(rows_.size())];
        return std::min<std::uint64_t>(row + random.below(kRow), bytes.size() - 1);
    }
    for (int tries = 0; true; ++tries) {
        const std::uint64_t at = random.below(bytes.size());
        const std::uint64_t sector = at / kSector * kSector;
        const auto around =
            ByteView(bytes).subspan(sector, std::min(kSector, bytes.size() - sector));
        // One in eight may lie where nothing is.
        if (tries > 100 || random.below(8) == 0 ||
            std::ranges::any_of(around, [](std::uint8_t byte) { return byte != 0; })) {
            return at;
        }
    }
}

// Where the catalog's file has an id of ours.
void FlipStore::find_rows() {
    std::vector<std::string> ids{volume_.str(), active_.str()};
    for (const auto& [id, bytes] : snapshots_) {
        ids.push_back(id.str());
    }
    const Bytes& catalog = pristine_.at(kCatalog);
    const std::string_view text = as_text(catalog);
    for (const std::string& id : ids) {
        for (std::size_t at = text.find(id); at != std::string_view::npos;
             at = text.find(id, at + 1)) {
            rows_.push_back(at);
        }
    }
    INVARIANT(!rows_.empty());
}

FlipStore::Outcome FlipStore::flip(const std::string& file, std::uint64_t offset,
                                   std::uint8_t mask) {
    // Nothing may be remembered from before: neither chunks and nodes nor, by SQLite, pages.
    engine_.reset();
    if (file == kCatalog) {
        close();
    }
    const std::uint8_t changed = pristine_.at(file)[offset] ^ mask;
    put(path(file), offset, ByteView(&changed, 1));
    const Outcome outcome = check();
    if (file == kCatalog) {
        close();
    }
    restore(file);
    return outcome;
}

// A volume that was opened may have written to its layer, and SQLite to its file. The rest is only
// read.
void FlipStore::restore(const std::string& flipped) {
    for (const auto& [file, bytes] : pristine_) {
        const bool written = file == flipped || file.find(active_.str()) != std::string::npos;
        if (!written) {
            continue;
        }
        if (file == kCatalog) {
            INVARIANT(!store_);
            (void)remove_file(path(file) + "-wal");
            (void)remove_file(path(file) + "-shm");
        }
        put(path(file), 0, bytes);
        INVARIANT(::truncate(path(file).c_str(), static_cast<off_t>(bytes.size())) == 0);
    }
}

}  // namespace kiln::control::flips
