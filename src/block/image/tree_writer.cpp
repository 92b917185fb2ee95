// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_writer.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/detail/text_field.h"
#include "block/image/tree_reader.h"

namespace kiln::block {
namespace {

// Chunks per piece of CPU work: two milliseconds of zstd, beside which handing them to a thread and
// back costs nothing.
constexpr std::size_t kSlice = 16;

}  // namespace

TreeWriter::TreeWriter(ChunkStore& store, WriterOptions options)
    : store_(store),
      options_(std::move(options)),
      data_(std::make_shared<PackSink>(store.context(), PackKind::data, options_.domain,
                                       options_.epoch)),
      nodes_(std::make_shared<PackSink>(store.context(), PackKind::node, options_.domain,
                                        options_.epoch)) {}

void TreeWriter::start(Done done) {
    const Status geometry = options_.geometry.check();
    if (!geometry || options_.size_bytes == 0 ||
        options_.size_bytes > options_.geometry.capacity_bytes()) {
        status_ = Error(Code::invalid_argument, "an image tree of impossible size");
    }
    if (!status_ || options_.base.zero()) {
        store_.context().scheduler.post(
            [self = shared_from_this(), done = std::move(done)]() mutable { done(self->status_); });
        return;
    }
    load_root(store_, options_.domain, options_.base,
              [self = shared_from_this(), done = std::move(done)](Result<RootRecord> root) mutable {
                  if (!root) {
                      self->status_ = std::move(root.error());
                  } else if (root->geometry != self->options_.geometry ||
                             root->size_bytes > self->options_.size_bytes) {
                      self->status_ = Error(Code::invalid_argument,
                                            "the base is larger or of another geometry");
                  } else {
                      self->top_ = root->top;
                  }
                  done(self->status_);
              });
}

Status TreeWriter::check(const std::vector<ChunkChange>& changes) {
    TRY(status_);
    const std::uint64_t chunk_bytes = options_.geometry.chunk_bytes;
    for (const ChunkChange& change : changes) {
        if (change.chunk < next_chunk_ || change.bytes.size() != chunk_bytes ||
            change.chunk > (options_.size_bytes - 1) / chunk_bytes) {
            return Error(Code::invalid_argument, "chunks out of order or outside the tree");
        }
        const std::uint64_t inside = options_.size_bytes - change.chunk * chunk_bytes;
        if (inside < chunk_bytes && !all_zero(change.bytes.subspan(inside))) {
            return Error(Code::invalid_argument, "bytes beyond the size are not zero");
        }
        next_chunk_ = change.chunk + 1;
    }
    return ok();
}

template <class Work, class Then>
void TreeWriter::in_worker(Work work, Then then) {
    const auto join = Join::create([self = shared_from_this(), then](Status) { then(self.get()); });
    const auto batch = batch_;
    batch->encoded.resize(std::max(batch->encoded.size(), batch->items.size() / kSlice + 1));
    for (std::size_t first = 0; first < batch->items.size(); first += kSlice) {
        const std::size_t count = std::min(kSlice, batch->items.size() - first);
        store_.context().worker.run(
            [batch, first, count, work] {
                work(std::span<Item>(batch->items).subspan(first, count),
                     batch->encoded[first / kSlice]);
            },
            [done = join->arm()]() mutable { done(ok()); });
    }
    join->ready();
}

void TreeWriter::add(std::vector<ChunkChange> changes, Done done) {
    INVARIANT(!batch_done_);
    status_ = check(changes);
    batch_done_ = std::move(done);
    batch_->items.clear();
    applied_ = 0;
    for (const ChunkChange& change : changes) {
        batch_->items.push_back({change, {}});
    }
    if (!status_ || batch_->items.empty()) {
        store_.context().scheduler.post(
            [self = shared_from_this()] { self->end_batch(self->status_); });
        return;
    }
    hash();
}

void TreeWriter::hash() {
    in_worker(
        [](std::span<Item> items, Bytes&) {
            std::vector<Item*> named;
            std::vector<ByteView> bytes;
            for (Item& item : items) {
                if (!all_zero(item.change.bytes)) {
                    named.push_back(&item);
                    bytes.push_back(item.change.bytes);
                }
            }
            std::vector<crypto::Digest256> digests(named.size());
            crypto::sha256_each(bytes, digests);
            for (std::size_t i = 0; i < named.size(); ++i) {
                named[i]->id = ChunkId{digests[i]};
            }
        },
        [](TreeWriter* self) { self->deduplicate(); });
}

void TreeWriter::deduplicate() {
    std::vector<std::size_t> asked;
    std::vector<ChunkId> ids;
    std::unordered_set<ChunkId> seen;
    for (std::size_t i = 0; i < batch_->items.size(); ++i) {
        const ChunkId& id = batch_->items[i].id;
        if (id.zero()) {
            ++written_.chunks_zero;
        } else if (data_->holds(id) || !seen.insert(id).second) {
            ++written_.chunks_hit;
        } else {
            asked.push_back(i);
            ids.push_back(id);
        }
    }
    store_.context().index.lookup(
        options_.domain, std::move(ids), LookupFor::deduplication,
        [self = shared_from_this(), asked = std::move(asked)](Result<Located> found) {
            if (!found) {
                self->end_batch(std::move(found.error()));
            } else {
                self->deduplicated(asked, *found);
            }
        });
}

void TreeWriter::deduplicated(const std::vector<std::size_t>& asked, const Located& found) {
    for (std::size_t i = 0; i < asked.size(); ++i) {
        // It may have been indexed meanwhile, or still be on its way: then it was in holds().
        if (found[i]) {
            ++written_.chunks_hit;
            written_.packs_hit.insert(found[i]->pack);
        } else {
            ++written_.chunks_written;
            batch_->items[asked[i]].miss = true;
        }
    }
    encode();
}

void TreeWriter::encode() {
    in_worker(
        [codec = options_.codec, pool = encoders_](std::span<Item> items, Bytes& to) {
            auto encoder = pool->take();
            to.clear();
            to.reserve(items.size() * (kEntryHeaderBytes + items.front().change.bytes.size()));
            for (Item& item : items) {
                if (!item.miss) {
                    continue;
                }
                const Encoded encoded = encoder->encode(codec, item.change.bytes);
                item.entry = {.id = item.id,
                              .stored_bytes = static_cast<std::uint32_t>(encoded.bytes.size()),
                              .plain_bytes = static_cast<std::uint32_t>(item.change.bytes.size()),
                              .codec = encoded.codec};
                item.place = to.size();
                append_entry(item.entry, encoded.bytes, to);
            }
            pool->give(std::move(encoder));
        },
        [](TreeWriter* self) { self->encoded(); });
}

void TreeWriter::encoded() {
    for (std::size_t i = 0; i < batch_->items.size(); ++i) {
        const Item& item = batch_->items[i];
        if (item.miss) {
            const ByteView slice = batch_->encoded[i / kSlice];
            data_->add(item.entry, slice.subspan(item.place, entry_bytes(item.entry)));
        }
    }
    data_->when_at_most(kPacksInFlight, [self = shared_from_this()](Status status) {
        if (!status) {
            self->end_batch(std::move(status));
        } else {
            self->apply();
        }
    });
}

void TreeWriter::apply() {
    while (applied_ < batch_->items.size()) {
        const Item& item = batch_->items[applied_];
        if (!open_path(item.change.chunk / options_.geometry.leaf_chunks)) {
            return;  // goes on here after a fetch, or has ended
        }
        path_.back().node.slots[item.change.chunk % options_.geometry.leaf_chunks] = item.id;
        ++applied_;
    }
    if (new_node_bytes_ < store_.context().pack_target_bytes &&
        new_nodes_.size() < kMaxPackEntries) {
        end_batch(ok());
        return;
    }
    flush_nodes([self = shared_from_this()](Status status) { self->end_batch(std::move(status)); });
}

bool TreeWriter::open_path(std::uint64_t leaf) {
    const ImageGeometry& geometry = options_.geometry;
    while (!path_.empty() &&
           leaf / geometry.leaves_per_slot(path_.back().node.level + 1) != path_.back().index) {
        close_node();
    }
    while (path_.size() < geometry.height + 1U) {
        const auto level = static_cast<unsigned>(geometry.height - path_.size());
        const ChunkId child =
            path_.empty()
                ? top_
                : path_.back()
                      .node.slots[leaf / geometry.leaves_per_slot(level + 1) % geometry.fan_out];
        if (child.zero()) {
            path_.push_back({{level, std::vector<ChunkId>(geometry.slots(level))},
                             leaf / geometry.leaves_per_slot(level + 1),
                             {}});
        } else if (const BytesPtr bytes = store_.find(options_.domain, child)) {
            if (!open_node(level, child, *bytes, leaf)) {
                return false;
            }
        } else {
            store_.fetch(
                options_.domain, {child}, EntryType::node,
                [self = shared_from_this(), level, child, leaf](Result<std::vector<BytesPtr>> got) {
                    if (!got) {
                        self->end_batch(std::move(got.error()));
                    } else if (self->open_node(level, child, *got->front(), leaf)) {
                        self->apply();
                    }
                });
            return false;
        }
    }
    return true;
}

// False when it ended the batch.
bool TreeWriter::open_node(unsigned level, const ChunkId& id, ByteView bytes, std::uint64_t leaf) {
    auto node = decode_node(bytes, level, options_.geometry);
    if (!node) {
        end_batch(std::move(node.error()));
        return false;
    }
    path_.push_back({*std::move(node), leaf / options_.geometry.leaves_per_slot(level + 1), id});
    return true;
}

// Hashing a node is done here: a leaf takes less than a microsecond, an upper node four.
void TreeWriter::close_node() {
    const Open open = std::move(path_.back());
    path_.pop_back();
    ChunkId id;
    if (!open.node.empty()) {
        Bytes bytes = encode_node(open.node);
        id = plain_id(bytes);
        if (id != open.original) {
            add_node(EntryType::node, id, std::move(bytes));
        }
    }
    if (path_.empty()) {
        top_ = id;
    } else {
        path_.back().node.slots[open.index % options_.geometry.fan_out] = id;
    }
}

void TreeWriter::add_node(EntryType type, const ChunkId& id, Bytes bytes) {
    if (new_node_ids_.insert(id).second) {
        new_node_bytes_ += bytes.size() + kEntryHeaderBytes;
        new_nodes_.push_back({id, type, std::move(bytes)});
    }
}

// Chunks first: a node in the index means that what it names is durable.
void TreeWriter::flush_nodes(Done done) {
    data_->seal();
    data_->when_at_most(0,
                        [self = shared_from_this(), done = std::move(done)](Status status) mutable {
                            if (!status || self->new_nodes_.empty()) {
                                done(std::move(status));
                                return;
                            }
                            std::vector<ChunkId> ids;
                            for (const NewNode& node : self->new_nodes_) {
                                ids.push_back(node.id);
                            }
                            self->store_.context().index.lookup(
                                self->options_.domain, std::move(ids), LookupFor::deduplication,
                                [self, done = std::move(done)](Result<Located> found) mutable {
                                    if (!found) {
                                        done(std::move(found.error()));
                                    } else {
                                        self->write_nodes(*found, std::move(done));
                                    }
                                });
                        });
}

void TreeWriter::write_nodes(const Located& found, Done done) {
    for (std::size_t i = 0; i < new_nodes_.size(); ++i) {
        const NewNode& node = new_nodes_[i];
        if (found[i]) {
            written_.packs_hit.insert(found[i]->pack);
            continue;
        }
        const auto size = static_cast<std::uint32_t>(node.bytes.size());
        const PackEntry entry{
            .id = node.id, .stored_bytes = size, .plain_bytes = size, .type = node.type};
        nodes_->add(entry, encode_entry(entry, node.bytes));
    }
    new_nodes_.clear();
    new_node_ids_.clear();
    new_node_bytes_ = 0;
    nodes_->seal();
    nodes_->when_at_most(0, std::move(done));
}

void TreeWriter::end_batch(Status status) {
    if (!status && status_) {
        status_ = status;
    }
    Done done = std::move(batch_done_);
    done(std::move(status));
}

void TreeWriter::finish(io::Callback<Result<WrittenTree>> done) {
    INVARIANT(!batch_done_);
    if (!status_) {
        store_.context().scheduler.post(
            [done = std::move(done), error = status_.error()]() mutable { done(error); });
        return;
    }
    while (!path_.empty()) {
        close_node();
    }
    const RootRecord record{.size_bytes = options_.size_bytes,
                            .geometry = options_.geometry,
                            .domain = options_.domain,
                            .top = top_};
    Bytes bytes = encode_root(record);
    const RootDigest digest = plain_id(bytes);
    add_node(EntryType::root, digest, std::move(bytes));
    store_.context().scheduler.post(
        [self = shared_from_this(), record, done = std::move(done)]() mutable {
            self->flush_nodes([self, record, done = std::move(done)](Status status) mutable {
                self->status_ = status;
                done(status ? self->result(record) : Result<WrittenTree>(status.error()));
            });
        });
}

Result<WrittenTree> TreeWriter::result(const RootRecord& record) const {
    WrittenTree written = written_;
    written.record = record;
    written.root = plain_id(encode_root(record));
    for (const auto& sink : {data_, nodes_}) {
        written.packs_written.insert(written.packs_written.end(), sink->written().begin(),
                                     sink->written().end());
        written.stored_bytes += sink->written_bytes();
    }
    return written;
}

}  // namespace kiln::block
