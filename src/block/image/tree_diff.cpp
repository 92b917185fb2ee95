// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_diff.h"

#include "block/image/tree_reader.h"

namespace kiln::block {
namespace {

// Both trees at once, depth first, from a stack.
class Walk : public std::enable_shared_from_this<Walk> {
  public:
    Walk(ChunkStore& store, const DiffQuery& query, io::Callback<Result<LeafPage>> done)
        : store_(store), query_(query), done_(std::move(done)) {}

    void start() { load(query_.a, true); }

  private:
    struct Pair {
        ChunkId a;
        ChunkId b;
    };
    struct Frame {
        Node a;
        Node b;
        std::uint64_t index = 0;  // among the nodes of its level
        unsigned level = 0;
        unsigned next = 0;
    };

    void load(const RootDigest& digest, bool first) {
        if (digest.zero()) {
            loaded(RootRecord{}, first);
            return;
        }
        load_root(store_, query_.domain, digest,
                  [self = shared_from_this(), first](Result<RootRecord> root) {
                      if (!root) {
                          self->done_(std::move(root.error()));
                      } else {
                          self->loaded(*root, first);
                      }
                  });
    }
    void loaded(const RootRecord& root, bool first) {
        (first ? a_ : b_) = root;
        if (first) {
            load(query_.b, false);
            return;
        }
        if (!query_.a.zero() && !query_.b.zero() && a_.geometry != b_.geometry) {
            done_(Error(Code::invalid_argument, "the trees have different geometry"));
            return;
        }
        geometry_ = query_.b.zero() ? a_.geometry : b_.geometry;
        if (a_.top == b_.top) {
            done_(LeafPage{});
            return;
        }
        open({a_.top, b_.top}, 0, geometry_.height);
    }

    // Makes the frame of two different nodes, then goes on.
    void open(const Pair& pair, std::uint64_t index, unsigned level) {
        std::vector<ChunkId> ids;
        for (const ChunkId& id : {pair.a, pair.b}) {
            if (!id.zero()) {
                ids.push_back(id);
            }
        }
        store_.fetch(
            query_.domain, std::move(ids), EntryType::node,
            [self = shared_from_this(), pair, index, level](Result<std::vector<BytesPtr>> bytes) {
                const Status status = bytes ? self->push(*bytes, pair, index, level)
                                            : Status(std::move(bytes.error()));
                if (!status) {
                    self->done_(status.error());
                } else {
                    self->advance();
                }
            });
    }
    Status push(const std::vector<BytesPtr>& bytes, const Pair& pair, std::uint64_t index,
                unsigned level) {
        const Node empty{level, std::vector<ChunkId>(geometry_.slots(level))};
        Frame frame{empty, empty, index, level, 0};
        std::size_t at = 0;
        if (!pair.a.zero()) {
            TRY_ASSIGN(frame.a, decode_node(*bytes[at++], level, geometry_));
        }
        if (!pair.b.zero()) {
            TRY_ASSIGN(frame.b, decode_node(*bytes[at], level, geometry_));
        }
        stack_.push_back(std::move(frame));
        return ok();
    }
    void advance() {
        while (!stack_.empty()) {
            Frame& frame = stack_.back();
            if (frame.next == geometry_.fan_out) {
                stack_.pop_back();
                continue;
            }
            const unsigned slot = frame.next++;
            const Pair pair{frame.a.slots[slot], frame.b.slots[slot]};
            const std::uint64_t child = frame.index * geometry_.fan_out + slot;
            if (pair.a == pair.b ||
                (child + 1) * geometry_.leaves_per_slot(frame.level) <= query_.from_leaf) {
                continue;
            }
            if (frame.level > 1) {
                open(pair, child, frame.level - 1);
                return;
            }
            if (page_.changes.size() == query_.limit) {
                page_.next_leaf = child;
                break;
            }
            page_.changes.push_back({child, !pair.a.zero(), !pair.b.zero()});
        }
        done_(std::move(page_));
    }

    ChunkStore& store_;
    const DiffQuery query_;
    io::Callback<Result<LeafPage>> done_;
    RootRecord a_;
    RootRecord b_;
    ImageGeometry geometry_;
    std::vector<Frame> stack_;
    LeafPage page_;
};

}  // namespace

void diff_leaves(ChunkStore& store, const DiffQuery& query, io::Callback<Result<LeafPage>> done) {
    INVARIANT(query.limit > 0);
    const auto walk = std::make_shared<Walk>(store, query, std::move(done));
    store.context().scheduler.post([walk] { walk->start(); });
}

}  // namespace kiln::block
