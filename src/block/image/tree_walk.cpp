// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_walk.h"

#include "block/image/tree_reader.h"

namespace kiln::block {
namespace {

// Depth first, from a stack.
class Walk : public std::enable_shared_from_this<Walk> {
  public:
    Walk(ChunkStore& store, const TreePair& trees, TreeVisitor& visitor, Done done)
        : store_(store), trees_(trees), visitor_(visitor), done_(std::move(done)) {}

    void start() { load(trees_.a, true); }

  private:
    struct Pair {
        ChunkId a;
        ChunkId b;
        std::uint64_t index = 0;  // among the nodes of its level
    };
    struct Loaded {
        Pair pair;
        BytesPtr a;
        BytesPtr b;
    };
    struct Frame {
        Node a;
        Node b;
        std::uint64_t index = 0;
        unsigned level = 0;
        unsigned next = 0;              // slot
        std::deque<Loaded> children{};  // of the slots before that, not visited yet
    };

    void load(const RootDigest& digest, bool first) {
        if (digest.zero()) {
            loaded(RootRecord{}, first);
            return;
        }
        load_root(store_, trees_.domain, digest,
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
            load(trees_.b, false);
            return;
        }
        if (!trees_.a.zero() && !trees_.b.zero() && a_.geometry != b_.geometry) {
            done_(Error(Code::invalid_argument, "the trees have different geometry"));
            return;
        }
        geometry_ = trees_.b.zero() ? a_.geometry : b_.geometry;
        visitor_.begin(a_, b_);
        const Pair top{a_.top, b_.top, 0};
        if (wanted(top, geometry_.height + 1U)) {
            fetch({top}, geometry_.height);
        } else {
            done_(ok());
        }
    }

    // Of a slot of a node of this level. Tells the visitor what is the same.
    bool wanted(const Pair& pair, unsigned level) {
        const std::uint64_t count = geometry_.leaves_per_slot(level);
        const std::uint64_t first = pair.index * count;
        if (pair.a == pair.b) {
            if (!pair.a.zero()) {
                visitor_.same(first, count);
            }
            return false;
        }
        return visitor_.wants(first, count);
    }

    // Nodes of this level.
    void fetch(std::vector<Pair> pairs, unsigned level) {
        std::vector<ChunkId> ids;
        for (const Pair& pair : pairs) {
            for (const ChunkId& id : {pair.a, pair.b}) {
                if (!id.zero()) {
                    ids.push_back(id);
                }
            }
        }
        store_.fetch(trees_.domain, std::move(ids), EntryType::node,
                     [self = shared_from_this(), pairs = std::move(pairs),
                      level](Result<std::vector<BytesPtr>> bytes) {
                         if (!bytes) {
                             self->done_(std::move(bytes.error()));
                         } else {
                             self->fetched(pairs, *bytes, level);
                         }
                     });
    }
    void fetched(const std::vector<Pair>& pairs, const std::vector<BytesPtr>& bytes,
                 unsigned level) {
        std::size_t at = 0;
        std::deque<Loaded> nodes;
        for (const Pair& pair : pairs) {
            Loaded& node = nodes.emplace_back(Loaded{pair, nullptr, nullptr});
            node.a = pair.a.zero() ? nullptr : bytes[at++];
            node.b = pair.b.zero() ? nullptr : bytes[at++];
        }
        Status good = ok();
        if (stack_.empty()) {
            good = open(nodes.front(), level);
        } else {
            stack_.back().children = std::move(nodes);
        }
        if (good) {
            advance();
        } else {
            done_(std::move(good));
        }
    }
    Status open(const Loaded& node, unsigned level) {
        Frame frame;
        frame.a = frame.b = Node{level, std::vector<ChunkId>(geometry_.slots(level))};
        frame.index = node.pair.index;
        frame.level = level;
        if (node.a != nullptr) {
            TRY_ASSIGN(frame.a, decode_node(*node.a, level, geometry_));
        }
        if (node.b != nullptr) {
            TRY_ASSIGN(frame.b, decode_node(*node.b, level, geometry_));
        }
        stack_.push_back(std::move(frame));
        return ok();
    }

    // Until something has to be fetched, or the end.
    void advance() {
        while (!stack_.empty()) {
            Frame& frame = stack_.back();
            if (!frame.children.empty()) {
                const Loaded child = std::move(frame.children.front());
                frame.children.pop_front();
                if (Status good = open(child, frame.level - 1); !good) {
                    done_(std::move(good));
                    return;
                }
                continue;
            }
            if (frame.level == 1) {
                if (!visit_leaves(frame)) {
                    break;
                }
                stack_.pop_back();
                continue;
            }
            auto pairs = next_children(frame);
            if (!pairs.empty()) {
                fetch(std::move(pairs), frame.level - 1);
                return;
            }
            stack_.pop_back();
        }
        done_(ok());
    }
    Pair child(const Frame& frame, unsigned slot) const {
        return {frame.a.slots[slot], frame.b.slots[slot], frame.index * geometry_.fan_out + slot};
    }
    std::vector<Pair> next_children(Frame& frame) {
        std::vector<Pair> pairs;
        while (frame.next < geometry_.fan_out && pairs.size() < kWalkBatch) {
            const Pair pair = child(frame, frame.next++);
            if (wanted(pair, frame.level)) {
                pairs.push_back(pair);
            }
        }
        return pairs;
    }
    bool visit_leaves(const Frame& frame) {
        for (unsigned slot = 0; slot < geometry_.fan_out; ++slot) {
            const Pair pair = child(frame, slot);
            if (wanted(pair, 1) && !visitor_.differs(pair.index, !pair.a.zero(), !pair.b.zero())) {
                return false;
            }
        }
        return true;
    }

    ChunkStore& store_;
    const TreePair trees_;
    TreeVisitor& visitor_;
    Done done_;
    RootRecord a_;
    RootRecord b_;
    ImageGeometry geometry_;
    std::vector<Frame> stack_;
};

}  // namespace

void walk_trees(ChunkStore& store, const TreePair& trees, TreeVisitor& visitor, Done done) {
    const auto walk = std::make_shared<Walk>(store, trees, visitor, std::move(done));
    store.context().scheduler.post([walk] { walk->start(); });
}

}  // namespace kiln::block
