// SPDX-License-Identifier: Apache-2.0
// Volumes over layers and trees against flat copies: writes, zeroes, cuts, clones, destages, rooted
// contents whose layers go, deletions and restarts at random, on a simulated disk. KILN_SEED
// repeats a run.
#include <doctest/doctest.h>

#include "block/tests/owner_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kMost = 64 * kBlockBytes;  // a tiny tree has 128 blocks

class Model {
  public:
    explicit Model(std::uint64_t seed)
        : reactor_(seed), owner_(reactor_, 1 + seed % 3), random_(seed) {
        owner_.gate.skip_syncs = true;
        create();
    }

    void round() {
        for (std::uint64_t i = random_() % 6; i > 0; --i) {
            change();
        }
        switch (random_() % 12) {
            case 0:
                create();
                break;
            case 1:
            case 2:
            case 3:
                cut();
                break;
            case 4:
                clone();
                break;
            case 5:
            case 6:
                destage();
                break;
            case 7:
            case 8:
                drop_rooted_layer();
                break;
            case 9:
                delete_volume();
                break;
            case 10:
                delete_content();
                break;
            case 11:
                restart();
                break;
        }
        owner_.settle();
        REQUIRE(in_flight_ == 0);
        compare();
    }
    void restart() {
        owner_.settle();
        owner_.stop();
        owner_.start();
        for (const auto& [id, volume] : volumes_) {
            open(id);
        }
    }

  private:
    struct Flat {
        Bytes bytes;
        std::string base;
        std::string layer;
    };

    std::string name(const char* prefix) { return prefix + std::to_string(++names_); }
    void open(const std::string& id) {
        const Flat& volume = volumes_.at(id);
        const Status status = owner_.open(id, volume.bytes.size(), volume.base, volume.layer);
        REQUIRE_MESSAGE(status, status.error().to_string());
    }
    template <class Map>
    typename Map::iterator pick(Map& map) {
        auto at = map.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(random_() % map.size()));
        return at;
    }
    void create() {
        if (volumes_.size() < 4) {
            const std::string id = name("vol-");
            const std::uint64_t bytes = (1 + random_() % 40) * kBlockBytes;
            volumes_[id] = {Bytes(bytes, 0), "", name("l-")};
            open(id);
        }
    }
    void clone() {
        if (volumes_.size() >= 4 || contents_.empty()) {
            return;
        }
        const auto content = pick(contents_);
        const std::string id = name("vol-");
        volumes_[id] = {content->second, content->first, name("l-")};
        if (random_() % 2 == 0) {
            const std::uint64_t more = random_() % 8 * kBlockBytes;
            volumes_[id].bytes.resize(std::min(kMost, content->second.size() + more), 0);
        }
        open(id);
    }
    // Not waited for: the next step comes while it is on its way.
    void change() {
        if (volumes_.empty()) {
            return;
        }
        const auto& [id, volume] = *pick(volumes_);
        Bytes& flat = volumes_.at(id).bytes;
        const std::uint64_t unit = random_() % 2 == 0 ? kBlockBytes : 1;
        const std::uint64_t offset = random_() % (flat.size() / unit) * unit;
        const std::uint64_t length = std::min<std::uint64_t>(
            flat.size() - offset, (1 + random_() % (5 * kBlockBytes / unit)) * unit);
        const auto value = static_cast<std::uint8_t>(random_() % 3 == 0 ? 0 : 1 + random_() % 200);
        std::fill_n(flat.begin() + static_cast<std::ptrdiff_t>(offset), length, value);
        ++in_flight_;
        auto data = std::make_shared<Bytes>(length, value);
        const auto finished = [this, data](Status status) {
            REQUIRE_MESSAGE(status, (status ? "" : status.error().to_string()));
            --in_flight_;
        };
        const bool durable = random_() % 4 == 0;
        if (value == 0) {
            owner_.volume(id).zero(offset, length, durable, finished);
        } else {
            owner_.volume(id).write(offset, *data, durable, finished);
        }
    }
    // Of one or two volumes. What is in flight when it is called completes before its instant or
    // is held back until after it: the model waits for it, so that it knows which.
    void cut() {
        owner_.settle();
        std::vector<CutMember> members;
        for (auto& [id, volume] : volumes_) {
            if (members.size() < 2 && random_() % 2 == 0 && contents_.size() < 8) {
                const std::string content = name("content-");
                const std::string successor = name("l-");
                owner_.add_content(content, volume.base, volume.layer, volume.bytes.size());
                contents_[content] = volume.bytes;
                volume.base = content;
                volume.layer = successor;
                members.push_back({VolumeId(id), LayerId(successor), ContentId(content)});
            }
        }
        if (members.empty()) {
            return;
        }
        const auto pending = owner_.begin_cut(members, name("set-"));
        if (random_() % 2 == 0) {
            const std::uint64_t before = owner_.cuts();
            REQUIRE(reactor_->run_until([&] { return owner_.cuts() > before; }, soon()));
            change();  // while it is being sealed
        }
        owner_.settle();
        REQUIRE(pending->has_value());
        REQUIRE_MESSAGE(**pending, (**pending ? "" : (*pending)->error().to_string()));
    }
    void destage() {
        std::vector<std::string> layered;
        for (const auto& [id, bytes] : contents_) {
            if (owner_.contents.records.at(ContentId(id)).state == ContentState::layered) {
                layered.push_back(id);
            }
        }
        if (layered.empty()) {
            return;
        }
        const std::string& content = layered[random_() % layered.size()];
        std::optional<Result<DestagedContent>> tree;
        owner_->destage(ContentId(content), 1,
                        [&](Result<DestagedContent> result) { tree = std::move(result); });
        change();
        if (random_() % 6 == 0) {
            owner_->cancel_destage();
        }
        owner_.settle();
        REQUIRE(tree.has_value());
        if (!*tree) {
            REQUIRE(tree->error().code() == Code::cancelled);
            return;
        }
        owner_.commit_root(content, **tree);
        change();
        const Status status = owner_.rooted(content);
        REQUIRE_MESSAGE(status, (status ? "" : status.error().to_string()));
    }
    void drop_rooted_layer() {
        for (auto& [id, record] : owner_.contents.records) {
            if (record.state == ContentState::rooted && !record.layer.empty()) {
                const LayerId layer = std::exchange(record.layer, LayerId());
                change();
                REQUIRE(owner_.rooted(id.str()));
                const Status dropped = owner_.drop(layer.str());
                REQUIRE_MESSAGE(dropped, (dropped ? "" : dropped.error().to_string()));
                return;
            }
        }
    }
    void delete_volume() {
        if (volumes_.size() < 2) {
            return;
        }
        const auto volume = pick(volumes_);
        REQUIRE(owner_.close(volume->first));
        REQUIRE(owner_.drop(volume->second.layer));
        volumes_.erase(volume);
    }
    void delete_content() {
        for (const auto& entry : contents_) {
            const auto& id = entry.first;
            const auto& records = owner_.contents.records;
            const bool needed =
                std::any_of(volumes_.begin(), volumes_.end(),
                            [&](const auto& volume) { return volume.second.base == id; }) ||
                std::any_of(records.begin(), records.end(),
                            [&](const auto& record) { return record.second.parent.str() == id; });
            if (!needed) {
                const LayerId layer = records.at(ContentId(id)).layer;
                owner_.contents.records.erase(ContentId(id));
                contents_.erase(id);
                if (!layer.empty()) {
                    REQUIRE(owner_.drop(layer.str()));
                }
                return;
            }
        }
    }
    void compare() {
        for (const auto& entry : volumes_) {
            const auto& id = entry.first;
            const auto& volume = entry.second;
            CAPTURE(id);
            const auto bytes = owner_.read(id, 0, volume.bytes.size());
            REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().to_string()));
            REQUIRE(*bytes == volume.bytes);
        }
        if (contents_.empty()) {
            return;
        }
        const auto content = pick(contents_);
        CAPTURE(content->first);
        const Status opened = owner_.view("view", content->first);
        REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().to_string()));
        const auto bytes = owner_.read("view", 0, content->second.size());
        REQUIRE_MESSAGE(bytes, (bytes ? "" : bytes.error().to_string()));
        REQUIRE(*bytes == content->second);
        REQUIRE(owner_.close("view"));
    }

    TestReactor reactor_;
    TestOwner owner_;
    std::mt19937_64 random_;
    std::map<std::string, Flat> volumes_;
    std::map<std::string, Bytes> contents_;
    int names_ = 0;
    int in_flight_ = 0;
};

}  // namespace

TEST_CASE("volumes and contents read as flat copies do, whatever becomes of layers and trees") {
    const std::uint64_t seed = test_seed();
    MESSAGE("KILN_SEED=", seed);
    CAPTURE(seed);
    for (std::uint64_t run = 0; run < 12; ++run) {
        CAPTURE(run);
        Model model(seed + run);
        for (int round = 0; round < 60; ++round) {
            CAPTURE(round);
            model.round();
        }
        model.restart();
    }
}
