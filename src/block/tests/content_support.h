// SPDX-License-Identifier: Apache-2.0
// An engine with rows of contents, and what every volume and content has to read as. Thread model:
// one thread.
#pragma once

#include "block/tests/nbd_client.h"
#include "objects/file_object_store.h"

namespace kiln::block::testing {

inline constexpr std::uint64_t kContentBytes = 80 * kBlockBytes;  // five chunks

// The rows of contents, the engine, and what every volume and content has to read as.
class ContentWorld {
  public:
    // A store whose objects are files, or in memory.
    explicit ContentWorld(bool files) {
        if (files) {
            REQUIRE(make_directories(engine.dir / "objects", 0700));
            const std::string directory = engine.dir / "objects";
            engine.change_tier = [directory](ImageTier& tier) {
                tier.objects = [directory](io::Io& io, io::Scheduler& scheduler)
                    -> Result<std::unique_ptr<objects::ObjectStore>> {
                    return std::make_unique<objects::FileObjectStore>(
                        io, scheduler, objects::FileStoreOptions{.directory = directory});
                };
            };
            engine.restart();
        }
    }
    void create(const std::string& id, std::uint64_t bytes, const std::string& base = "") {
        Volume volume{bytes, base, "l-" + std::to_string(++layers_), {}};
        if (!base.empty()) {
            volume.bytes = contents.at(base);
        }
        volume.bytes.resize(bytes, 0);
        volumes[id] = std::move(volume);
        open(id);
    }
    void open(const std::string& id) {
        const Volume& volume = volumes.at(id);
        const Status status = engine->open_volume(
            {VolumeId(id), volume.size, ContentId(volume.base), LayerId(volume.layer), true},
            soon());
        REQUIRE_MESSAGE(status, status.error().to_string());
    }
    void write(const std::string& id, std::uint64_t offset, std::size_t length,
               std::uint8_t value) {
        REQUIRE(engine->write(VolumeId(id), offset, Bytes(length, value), soon()));
        std::fill_n(volumes.at(id).bytes.begin() + static_cast<std::ptrdiff_t>(offset), length,
                    value);
    }
    // What CreateSnapshot does: names first, then the cut.
    void snapshot(const std::string& id, const std::string& content) {
        Volume& volume = volumes.at(id);
        ContentRecord record;
        record.id = ContentId(content);
        record.parent = ContentId(volume.base);
        record.layer = LayerId(volume.layer);
        record.size_bytes = volume.size;
        engine.contents.records[record.id] = record;
        contents[content] = volume.bytes;
        volume.base = content;
        volume.layer = "l-" + std::to_string(++layers_);
        const Status status =
            engine
                ->cut_volumes({{VolumeId(id), LayerId(volume.layer), ContentId(content)}},
                              "set-" + content, soon())
                .status;
        REQUIRE_MESSAGE(status, status.error().to_string());
    }
    DestagedContent destage(const std::string& content) {
        const auto tree = engine->destage(ContentId(content), 1, soon());
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        ContentRecord& record = engine.contents.records.at(ContentId(content));
        record.state = ContentState::rooted;
        record.root_digest = tree->root_digest;
        REQUIRE(engine->content_rooted(ContentId(content), soon()));
        return *tree;
    }
    // The layer of a rooted content goes.
    void drop_layer(const std::string& content) {
        ContentRecord& record = engine.contents.records.at(ContentId(content));
        const LayerId layer = std::exchange(record.layer, LayerId());
        REQUIRE(engine->content_rooted(ContentId(content), soon()));
        const Status status = engine->drop_layer(layer, soon());
        REQUIRE_MESSAGE(status, status.error().to_string());
    }
    void delete_volume(const std::string& id) {
        REQUIRE(engine->close_volume(VolumeId(id), soon()));
        REQUIRE(engine->drop_layer(LayerId(volumes.at(id).layer), soon()));
        volumes.erase(id);
    }
    // Of a content that no volume and no layered child needs.
    void delete_content(const std::string& content) {
        const ContentRecord record = engine.contents.records.at(ContentId(content));
        engine.contents.records.erase(record.id);
        contents.erase(content);
        if (!record.layer.empty()) {
            REQUIRE(engine->drop_layer(record.layer, soon()));
        }
    }
    // A new engine finds everything as it was, in volumes and in contents.
    void check() {
        engine.restart();
        for (const auto& [id, volume] : volumes) {
            open(id);
        }
        compare();
    }
    void compare() {
        for (const auto& entry : volumes) {
            const auto& id = entry.first;
            const auto& volume = entry.second;
            CAPTURE(id);
            const auto bytes =
                engine->read(VolumeId(id), 0, static_cast<std::uint32_t>(volume.size), soon());
            REQUIRE_MESSAGE(bytes, bytes.error().to_string());
            REQUIRE(*bytes == volume.bytes);
        }
        for (const auto& entry : contents) {
            const auto& content = entry.first;
            const auto& expected = entry.second;
            CAPTURE(content);
            const VolumeId name("view");
            const Status opened = engine->open_content(name, ContentId(content), soon());
            REQUIRE_MESSAGE(opened, opened.error().to_string());
            const auto bytes =
                engine->read(name, 0, static_cast<std::uint32_t>(expected.size()), soon());
            REQUIRE_MESSAGE(bytes, bytes.error().to_string());
            REQUIRE(*bytes == expected);
            REQUIRE(engine->close_volume(name, soon()));
        }
    }

    struct Volume {
        std::uint64_t size = 0;
        std::string base;
        std::string layer;
        Bytes bytes;
    };
    TestEngine engine;
    std::map<std::string, Volume> volumes;
    std::map<std::string, Bytes> contents;

  private:
    int layers_ = 0;
};

// vol-1 with three generations: content-1, content-2 on it, and writes on top.
inline void three_generations(ContentWorld& store) {
    store.create("vol-1", kContentBytes);
    store.write("vol-1", 100, 150'000, 1);
    store.snapshot("vol-1", "content-1");
    store.write("vol-1", 70'000, 9'000, 2);
    REQUIRE(store.engine->zero(VolumeId("vol-1"), 8192, 8192, soon()));
    std::fill_n(store.volumes.at("vol-1").bytes.begin() + 8192, 8192, std::uint8_t{0});
    store.snapshot("vol-1", "content-2");
    store.write("vol-1", 200'000, 5'000, 3);
}

}  // namespace kiln::block::testing
