// SPDX-License-Identifier: Apache-2.0
#include "block/detail/data_walk.h"

#include <algorithm>

#include "block/geometry.h"
#include "block/image/tree_diff.h"

namespace kiln::block {
namespace {

// A step looks at 1 GiB at most, so that what a layer says about its emptiness is not asked again
// for all that follows; and a turn of the owner's loop has so many steps, some microseconds each.
constexpr std::uint64_t kStepBlocks = (1ULL << 30) / kBlockBytes;
constexpr unsigned kStepsPerTurn = 256;
constexpr std::size_t kLeavesPerPage = 1024;

class DataWalk : public std::enable_shared_from_this<DataWalk> {
  public:
    DataWalk(io::Scheduler& scheduler, StackRef stack, const DataQuery& query,
             io::Callback<Result<DataPage>> done)
        : scheduler_(scheduler),
          stack_(std::move(stack)),
          next_(query.offset / kBlockBytes),
          end_(query.size_bytes / kBlockBytes),
          most_(query.most),
          done_(std::move(done)) {}

    void turn_later() {
        scheduler_.post([self = shared_from_this()] { self->turn(); });
    }

  private:
    void turn() {
        for (unsigned steps = 0; next_ < end_ && page_.ranges.size() < most_; ++steps) {
            if (steps == kStepsPerTurn) {
                turn_later();
                return;
            }
            const Source source = resolve(*stack_, next_, std::min(end_ - next_, kStepBlocks));
            switch (source.kind) {
                case Source::Kind::zeros:
                    next_ += source.count;
                    break;
                case Source::Kind::layer:
                    add(source.count);
                    break;
                case Source::Kind::base:
                    if (!knows_leaf()) {
                        fetch_leaves();
                        return;
                    }
                    take_base(source.count);
                    break;
            }
        }
        page_.end = next_ * kBlockBytes;
        done_(std::move(page_));
    }

    void add(std::uint64_t blocks) {
        const DataRange range{next_ * kBlockBytes, blocks * kBlockBytes};
        auto& ranges = page_.ranges;
        if (!ranges.empty() && ranges.back().offset + ranges.back().length == range.offset) {
            ranges.back().length += range.length;
        } else {
            ranges.push_back(range);
        }
        next_ += blocks;
    }

    const RootRecord& root() const { return stack_->base->root(); }
    std::uint64_t leaf_blocks() const { return root().geometry.leaf_bytes() / kBlockBytes; }
    std::uint64_t leaf() const { return next_ / leaf_blocks(); }
    bool knows_leaf() const { return leaf() >= known_from_ && leaf() < known_to_; }

    // One step over blocks that come from the tree: up to the next leaf there is, or through it.
    void take_base(std::uint64_t blocks) {
        const std::uint64_t stop = next_ + blocks;
        const auto found = std::lower_bound(leaves_.begin(), leaves_.end(), leaf());
        const std::uint64_t there = found == leaves_.end() ? known_to_ : *found;
        if (there > leaf()) {
            next_ = std::min(stop, there * leaf_blocks());
        } else {
            add(std::min(stop, (there + 1) * leaf_blocks()) - next_);
        }
    }

    void fetch_leaves() {
        const DiffQuery query{.domain = root().domain,
                              .a = {},
                              .b = plain_id(encode_root(root())),
                              .from_leaf = leaf(),
                              .limit = kLeavesPerPage};
        diff_leaves(stack_->base->store(), query,
                    [self = shared_from_this(), from = leaf()](Result<LeafPage> leaves) {
                        if (!leaves) {
                            self->done_(std::move(leaves.error()));
                            return;
                        }
                        self->known_from_ = from;
                        self->known_to_ =
                            leaves->next_leaf.value_or(self->root().geometry.leaves());
                        self->leaves_.clear();
                        for (const LeafChange& change : leaves->changes) {
                            self->leaves_.push_back(change.leaf);
                        }
                        self->turn();
                    });
    }

    io::Scheduler& scheduler_;
    const StackRef stack_;
    std::uint64_t next_;  // block
    const std::uint64_t end_;
    const std::size_t most_;
    io::Callback<Result<DataPage>> done_;
    DataPage page_;
    // Leaves of the tree from `known_from_` to before `known_to_`, ascending.
    std::vector<std::uint64_t> leaves_;
    std::uint64_t known_from_ = 0;
    std::uint64_t known_to_ = 0;
};

}  // namespace

void find_data(io::Scheduler& scheduler, const StackRef& stack, const DataQuery& query,
               io::Callback<Result<DataPage>> done) {
    INVARIANT(query.most > 0 && query.offset % kBlockBytes == 0 &&
              query.offset <= query.size_bytes);
    std::make_shared<DataWalk>(scheduler, stack, query, std::move(done))->turn_later();
}

}  // namespace kiln::block
