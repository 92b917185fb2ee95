// SPDX-License-Identifier: Apache-2.0
#include "block/sim/catalog.h"

#include <algorithm>

#include "util/check.h"

namespace kiln::block::sim {

std::string ContentTruth::judge(ByteView bytes) {
    if (!values) {
        INVARIANT(cut);
        std::string wrong = cut->judge(member, bytes);
        if (!wrong.empty()) {
            return wrong;
        }
        values.emplace();
        for (std::uint64_t at = 0; at < bytes.size(); at += kCellBytes) {
            values->push_back(*cell_value(bytes.data() + at, at / kCellBytes));
        }
        return {};
    }
    INVARIANT(values->size() * kCellBytes == bytes.size());
    for (std::uint64_t i = 0; i < values->size(); ++i) {
        const ByteView at = bytes.subspan(i * kCellBytes, kCellBytes);
        if (!cell_holds(at.data(), i, (*values)[i])) {
            return describe_cell(i, at) + ", not value " + std::to_string((*values)[i]);
        }
    }
    return {};
}

// --- questions and transactions ---

void SimCatalog::chain(const ContentId& id, ChainDone done) {
    io::Scheduler& scheduler = *scheduler_;
    scheduler.after(delay(), [this, id, &scheduler, done = std::move(done)] {
        Result<std::vector<ContentRecord>> records{std::vector<ContentRecord>()};
        for (ContentId next = id; records && !next.empty();) {
            const auto found = contents.find(next);
            if (found == contents.end()) {
                records = Error(Code::not_found, "content " + next.str());
                break;
            }
            const ContentRecord& record = found->second.record;
            records->push_back(record);
            next = record.state == ContentState::rooted ? ContentId() : record.parent;
        }
        scheduler.after(delay(), [done, records = std::move(records)] { done(records); });
    });
}

void SimCatalog::commit(std::function<void()> change, std::function<void(Status)> answered) {
    const std::uint64_t id = next_commit_++;
    pending_.emplace(id, std::move(change));
    io::Scheduler& scheduler = *scheduler_;
    scheduler.after(delay(), [this, id, &scheduler, answered = std::move(answered)] {
        Status status = ok();
        if (const auto found = pending_.find(id); found == pending_.end()) {
            status = Error(Code::cancelled, "the process has ended");
        } else {
            const std::function<void()> work = std::move(found->second);
            pending_.erase(found);
            work();
        }
        scheduler.after(delay(), [answered, status = std::move(status)] { answered(status); });
    });
}

void SimCatalog::crash() {
    auto kept = random_.below(pending_.size() + 1);
    auto pending = std::move(pending_);
    pending_.clear();
    for (auto at = pending.begin(); kept > 0; ++at, --kept) {
        at->second();
    }
}

// --- rows ---

std::vector<LayerId> layers_of(const ContentRecord& record) {
    std::vector<LayerId> layers;
    if (!record.layer.empty()) {
        layers.push_back(record.layer);
    }
    for (const SpareLayer& spare : record.spares) {
        layers.push_back(spare.id);
    }
    return layers;
}

bool SimCatalog::names(const LayerId& layer) const {
    for (const auto& [id, volume] : volumes) {
        if (volume->active == layer) {
            return true;
        }
    }
    for (const auto& [id, content] : contents) {
        const auto layers = layers_of(content.record);
        if (std::ranges::find(layers, layer) != layers.end()) {
            return true;
        }
    }
    return false;
}

void SimCatalog::root(SimContent& content, std::string digest) {
    ContentRecord& record = content.record;
    record.state = ContentState::rooted;
    record.root_digest = std::move(digest);
    record.spares.clear();
    for (ContentId at = record.parent; !at.empty();) {
        const ContentRecord& below = contents.at(at).record;
        if (!below.layer.empty()) {
            record.spares.push_back({below.layer, below.size_bytes});
        }
        record.spares.insert(record.spares.end(), below.spares.begin(), below.spares.end());
        at = below.state == ContentState::rooted ? ContentId() : below.parent;
    }
}

std::vector<LayerId> SimCatalog::replace_layers(const LayerMerge& merge,
                                                std::vector<ContentId>& changed) {
    std::vector<LayerId> unnamed{merge.target};
    for (auto& [id, content] : contents) {
        ContentRecord& record = content.record;
        std::vector<SpareLayer> layers{{record.layer, record.size_bytes}};
        layers.insert(layers.end(), record.spares.begin(), record.spares.end());
        const auto from =
            std::search(layers.begin(), layers.end(), merge.layers.begin(), merge.layers.end(),
                        [](const auto& a, const auto& b) { return a.id == b.id; });
        if (record.state != ContentState::rooted || from == layers.end()) {
            continue;
        }
        layers.insert(layers.erase(from, from + static_cast<std::ptrdiff_t>(merge.layers.size())),
                      {merge.target, merge.layers.front().size_bytes});
        record.layer = layers.front().id;
        record.spares.assign(layers.begin() + 1, layers.end());
        changed.push_back(id);
    }
    for (const SpareLayer& layer : merge.layers) {
        unnamed.push_back(layer.id);
    }
    std::erase_if(unnamed, [this](const LayerId& layer) { return names(layer); });
    return unnamed;
}

std::vector<LayerId> SimCatalog::give_up_layers(const ContentId& id) {
    const auto found = contents.find(id);
    if (found == contents.end()) {
        return {};
    }
    auto layers = layers_of(found->second.record);
    found->second.record.layer = {};
    found->second.record.spares.clear();
    std::erase_if(layers, [this](const LayerId& layer) { return names(layer); });
    return layers;
}

bool SimCatalog::needed(const ContentId& id) const {
    const auto by_volume = [&](const auto& row) { return row.second->base == id; };
    const auto by_child = [&](const auto& row) { return row.second.record.parent == id; };
    return contents.at(id).named || std::any_of(volumes.begin(), volumes.end(), by_volume) ||
           std::any_of(contents.begin(), contents.end(), by_child);
}

std::vector<LayerId> SimCatalog::sweep() {
    std::vector<LayerId> layers;
    for (bool more = true; more;) {
        more = false;
        for (auto at = contents.begin(); at != contents.end(); ++at) {
            if (!needed(at->first)) {
                const auto given_up = layers_of(at->second.record);
                layers.insert(layers.end(), given_up.begin(), given_up.end());
                contents.erase(at);
                more = true;
                break;
            }
        }
    }
    std::erase_if(layers, [this](const LayerId& layer) { return names(layer); });
    return layers;
}

std::vector<std::string> SimCatalog::roots() const {
    std::vector<std::string> roots;
    for (const auto& [id, content] : contents) {
        if (content.record.state == ContentState::rooted) {
            roots.push_back(content.record.root_digest);
        }
    }
    return roots;
}

void SimCatalog::index_pack(SimPack pack) {
    for (const PackEntry& entry : pack.entries) {
        places[{pack.header.domain, entry.id}][pack.header.pack] = entry;
    }
    packs[pack.header.pack] = std::move(pack);
}

void SimCatalog::unindex(const PackId& pack) {
    SimPack& row = packs.at(pack);
    for (const PackEntry& entry : row.entries) {
        const auto place = places.find({row.header.domain, entry.id});
        place->second.erase(pack);
        if (place->second.empty()) {
            places.erase(place);
        }
    }
    row.entries.clear();
}

// --- the index ---

void SimChunkIndex::lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                           io::Callback<Result<Located>> done) {
    scheduler_.after(catalog_.delay(), [this, domain, ids = std::move(ids), purpose,
                                        done = std::move(done)]() mutable {
        Located found(ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto places = catalog_.places.find({domain, ids[i]});
            if (places == catalog_.places.end()) {
                continue;
            }
            for (const auto& [pack, entry] : places->second) {
                const PackState state = catalog_.packs.at(pack).state;
                if (state == PackState::stored || purpose == LookupFor::reading) {
                    found[i] = ChunkLocation{pack, entry};
                    break;
                }
            }
        }
        scheduler_.after(catalog_.delay(),
                         [found = std::move(found), done = std::move(done)]() mutable {
                             done(std::move(found));
                         });
    });
}

namespace {

// std::function wants to be copied.
std::function<void(Status)> shared(Done done) {
    auto kept = std::make_shared<Done>(std::move(done));
    return [kept](Status status) { (*kept)(std::move(status)); };
}

}  // namespace

void SimChunkIndex::begin_pack(const PackHeader& pack, Done done) {
    catalog_.commit(
        [this, pack] {
            catalog_.packs[pack.pack] = {pack, PackState::writing, {}};
        },
        shared(std::move(done)));
}

void SimChunkIndex::insert(const PackHeader& pack, std::uint64_t, std::vector<PackEntry> entries,
                           Done done) {
    catalog_.commit(
        [this, pack, entries = std::move(entries)] {
            catalog_.index_pack({pack, PackState::stored, entries});
        },
        shared(std::move(done)));
}

void SimChunkIndex::remove(const PackId& pack, Done done) {
    catalog_.commit(
        [this, pack] {
            if (catalog_.packs.contains(pack)) {
                catalog_.unindex(pack);
                catalog_.packs.erase(pack);
            }
        },
        shared(std::move(done)));
}

}  // namespace kiln::block::sim
