// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the map file of a layer: root table, directories, pages. Checksums would keep a
// mutation from ever getting past the root table, so they are repaired first, bottom up. What is
// accepted must come out of a presence map as it went in. Thread model: pure function.
#include <deque>

#include "block/detail/map_file.h"
#include "util/check.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;
using namespace kiln::block;

// Reads from memory, completes when asked to.
class MemoryIo final : public io::Io, public io::Scheduler {
  public:
    explicit MemoryIo(ByteView bytes) : bytes_(bytes) {}
    void submit(io::Op op, io::IoDone done) override {
        INVARIANT(op.kind == io::OpKind::read && op.length <= 1U << 20);
        std::uint64_t got = 0;
        if (op.offset < bytes_.size()) {
            got = std::min<std::uint64_t>(op.length, bytes_.size() - op.offset);
            std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(op.offset), got, op.data);
        }
        post([got, done = std::move(done)]() mutable { done(got); });
    }
    void post(io::Callback<> task) override { tasks_.push_back(std::move(task)); }
    io::TimerId after(std::chrono::nanoseconds, io::Callback<>) override { INVARIANT(false); }
    void cancel(io::TimerId) override {}
    void run() {
        while (!tasks_.empty()) {
            auto task = std::move(tasks_.front());
            tasks_.pop_front();
            task();
        }
    }

  private:
    ByteView bytes_;
    std::deque<io::Callback<>> tasks_;
};

Superblock superblock() {
    return {.store_uuid = "s",
            .volume_id = "vol-1",
            .layer_id = "l-1",
            .size_bytes = 300ULL * kBlockBytes,
            .page_blocks = 64,
            .shard_bytes = 64 << 10,
            .generation = 255,
            .boot_id = "boot-1",
            .key = {},
            .max_ring_bytes = 64 << 10,
            .head = {.position = 0, .seq = 1, .prev_crc = 7},
            .map_pages = true,
            .directory_pages = 2,
            .root = {.crc = 0, .slot = 0, .gen = 255},
            .ring_bytes = 8 << 10};
}

void repair(Bytes& map, const MapLayout& layout, MapItem item, MapEntry& entry, int depth) {
    const std::uint64_t at = layout.offset(item, entry.slot);
    const std::size_t length = layout.slot_bytes(item.part);
    if (at + length > map.size()) {
        return;
    }
    for (std::size_t i = 0; depth > 0 && i < layout.entries(item); ++i) {
        std::uint8_t* place = &map[at + i * kMapEntryBytes];
        auto below = get_map_entry(place, entry.gen);
        if (!below || !below->exists()) {
            continue;
        }
        const bool root = item.part == MapPart::root;
        const MapPart part = root ? MapPart::directory : MapPart::page;
        repair(map, layout, {part, (root ? 0 : layout.first_page(item)) + i}, *below, depth - 1);
        put_map_entry(place, *below);
    }
    entry.crc = map_crc(item, entry.gen, ByteView(map).subspan(at, length));
}

void load(ByteView map, const Superblock& superblock) {
    MemoryIo io(map);
    bool answered = false;
    load_map(io, io, io::FileId{3}, superblock, [&](Result<LoadedMap> loaded) {
        answered = true;
        if (!loaded) {
            INVARIANT(loaded.error().code() == Code::data_loss);
            return;
        }
        for (const auto& [number, directory] : loaded->tables.directories) {
            INVARIANT(number < 3 && directory.pages.size() <= 2);
        }
        const PresenceMap& presence = loaded->presence;
        INVARIANT(presence.run(300, 1).state == BlockState::absent);
        std::uint64_t blocks = 0;
        while (blocks < 300) {
            blocks += presence.run(blocks, 300 - blocks).count;
        }
        INVARIANT(blocks == 300);
    });
    io.run();
    INVARIANT(answered);
}

// Entries in the tables, and the words of bits in the pages.
testing::FuzzLayout layout(ByteView map) {
    testing::FuzzLayout found;
    constexpr std::size_t kSlot = 4096;
    for (std::size_t at = kMapHeaderBytes; at < map.size(); at += kSlot) {
        const std::size_t bytes = std::min(kSlot, map.size() - at);
        found.parts.push_back({at, bytes});
        for (std::size_t entry = 0; entry < 4; ++entry) {
            testing::add_numbers(found, at + entry * kMapEntryBytes + 4, 4);
            testing::add_numbers(found, at + entry * kMapEntryBytes + 8, 8);
        }
    }
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Superblock superblock_now = superblock();
    load({data, size}, superblock_now);
    Bytes map(data, data + size);
    repair(map, MapLayout(superblock_now), {MapPart::root, 0}, superblock_now.root, 2);
    load(map, superblock_now);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
