// SPDX-License-Identifier: Apache-2.0
#include "block/image/marker.h"

#include <algorithm>

#include "block/image/tree_reader.h"

namespace kiln::block {

Marker::Marker(ChunkStore& store, std::vector<RootRef> roots, Marked done, MarkLimits limits)
    : store_(store), roots_(std::move(roots)), limits_(limits), done_(std::move(done)) {}

std::shared_ptr<Marker> Marker::start(ChunkStore& store, std::vector<RootRef> roots, Marked done,
                                      MarkLimits limits) {
    std::shared_ptr<Marker> self(new Marker(store, std::move(roots), std::move(done), limits));
    store.context().scheduler.post([self] { self->pump(); });
    return self;
}

void Marker::cancel() {
    note(Error(Code::cancelled, "the mark was cancelled"));
}

void Marker::note(Error error) {
    if (status_) {
        status_ = std::move(error);
    }
}

void Marker::pump() {
    if (!done_) {
        return;
    }
    while (status_ && lookups_ < kMarkLookups) {
        if (to_find_.size() >= kMarkBatch) {
            find_all();
        } else if (reads_ < kMarkReads && !to_read_.empty()) {
            const Step step = to_read_.back();
            to_read_.pop_back();
            if (see(step.id, step.level)) {
                read_node(step);
            }
        } else if (reads_ > 0 || !next_root()) {
            break;
        }
    }
    if (reads_ > 0 || lookups_ > 0) {
        return;
    }
    Marked done = std::move(done_);
    if (status_) {
        done(std::move(packs_));
    } else {
        done(status_.error());
    }
}

// Something to do after a root is walked: what it left to look up, if the next one is of another
// domain or there is none, else the next one. False at the end.
bool Marker::next_root() {
    const bool last = next_root_ == roots_.size();
    if (!to_find_.empty() && (last || roots_[next_root_].domain != domain_)) {
        find_all();
        return true;
    }
    if (last) {
        return false;
    }
    const RootRef& root = roots_[next_root_++];
    domain_ = root.domain;
    if (see(root.digest, 1)) {
        ++reads_;
        to_find_.push_back(root.digest);
        load_root(store_, root.domain, root.digest,
                  [self = shared_from_this()](Result<RootRecord> record) {
                      --self->reads_;
                      self->take_root(std::move(record));
                      self->pump();
                  });
    }
    return true;
}

void Marker::take_root(Result<RootRecord> root) {
    if (!root) {
        note(std::move(root.error()));
        return;
    }
    geometry_ = root->geometry;
    if (!root->top.zero()) {
        to_read_.push_back({root->top, geometry_.height});
    }
}

void Marker::read_node(const Step& step) {
    ++reads_;
    to_find_.push_back(step.id);
    store_.fetch(domain_, {step.id}, EntryType::node,
                 [self = shared_from_this(), step](Result<std::vector<BytesPtr>> bytes) {
                     --self->reads_;
                     if (bytes) {
                         self->take_node(step, *bytes->front());
                     } else {
                         self->note(std::move(bytes.error()));
                     }
                     self->pump();
                 });
}

void Marker::take_node(const Step& step, ByteView bytes) {
    auto node = decode_node(bytes, step.level, geometry_);
    if (!node) {
        note(std::move(node.error()).with("node " + step.id.hex()));
        return;
    }
    for (const ChunkId& id : node->slots) {
        if (id.zero()) {
            continue;
        }
        if (step.level == 0) {
            to_find_.push_back(id);
        } else {
            to_read_.push_back({id, step.level - 1});
        }
    }
}

// Leaves get half of the room: there are a hundred times more of them than of nodes above, each of
// which saves a hundred of them.
bool Marker::see(const ChunkId& id, unsigned level) {
    const ChunkKey key{domain_, id};
    const std::size_t room = limits_.remembered_nodes;
    if (seen_.size() >= (level == 0 ? room / 2 : room)) {
        return !seen_.contains(key);
    }
    return seen_.insert(key).second;
}

void Marker::find_all() {
    find_packs(domain_, LookupFor::deduplication, std::exchange(to_find_, {}));
}

// The domain is given: the walk may have gone on to a root of another one.
void Marker::find_packs(const DomainId& domain, LookupFor purpose, std::vector<ChunkId> ids) {
    ++lookups_;
    std::vector<ChunkId> asked = ids;
    store_.context().index.lookup(
        domain, std::move(asked), purpose,
        [self = shared_from_this(), domain, purpose, ids = std::move(ids)](Result<Located> at) {
            --self->lookups_;
            self->found(domain, purpose, ids, std::move(at));
            self->pump();
        });
}

void Marker::found(const DomainId& domain, LookupFor purpose, const std::vector<ChunkId>& ids,
                   Result<Located> at) {
    if (!at) {
        note(std::move(at.error()));
        return;
    }
    std::vector<ChunkId> condemned;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if ((*at)[i]) {
            count(*(*at)[i]);
        } else if (purpose == LookupFor::deduplication) {
            condemned.push_back(ids[i]);
        } else {
            note(Error(Code::data_loss, "no pack holds " + ids[i].hex()));
        }
    }
    if (!condemned.empty() && status_) {
        find_packs(domain, LookupFor::reading, std::move(condemned));
    }
}

// --- which entries of a pack ---

// An entry is found as often as it is named. Most come in the order in which they were written.
void Marker::count(const ChunkLocation& at) {
    const auto [found, fresh] = packs_.try_emplace(at.pack);
    PackUse& use = found->second;
    if (fresh) {
        use.counted = counts(at.pack);
    }
    if (!use.counted) {
        return;
    }
    const std::uint32_t offset = at.entry.offset;
    const auto place = use.entries.empty() || use.entries.back() < offset
                           ? use.entries.end()
                           : std::lower_bound(use.entries.begin(), use.entries.end(), offset);
    if (place != use.entries.end() && *place == offset) {
        return;
    }
    use.entries.insert(place, offset);
    use.bytes += entry_bytes(at.entry) + kFooterEntryBytes;
    if (++counted_ > limits_.counted_entries) {
        count_fewer();
    }
}

bool Marker::counts(const PackId& pack) const {
    return (get_le<std::uint64_t>(pack.bytes.data()) & sample_mask_) == (sample_ & sample_mask_);
}

// Half of the packs that were counted so far, and so on until they are few enough. Which, is left
// to chance, so that each has its turn in some mark.
void Marker::count_fewer() {
    if (sample_mask_ == 0) {
        Bytes random(sizeof sample_);
        store_.context().rng.fill(random);
        sample_ = get_le<std::uint64_t>(random.data());
    }
    while (counted_ > limits_.counted_entries) {
        sample_mask_ = sample_mask_ << 1 | 1;
        for (auto& [pack, use] : packs_) {
            if (use.counted && !counts(pack)) {
                counted_ -= use.entries.size();
                use = {.entries = {}, .bytes = 0, .counted = false};
            }
        }
    }
}

}  // namespace kiln::block
