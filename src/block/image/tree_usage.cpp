// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_usage.h"

#include <algorithm>
#include <bit>

namespace kiln::block {
namespace {

// A set of leaves.
class LeafSet {
  public:
    void resize(std::uint64_t leaves) { words_.resize((leaves + 63) / 64); }
    void add(std::uint64_t leaf) { words_.at(leaf / 64) |= std::uint64_t{1} << leaf % 64; }
    void remove(std::uint64_t first, std::uint64_t end) {
        each_word(first, end, [](std::uint64_t& word, std::uint64_t mask) {
            word &= ~mask;
            return true;
        });
    }
    bool any(std::uint64_t first, std::uint64_t end) {
        return !each_word(first, end, [](const std::uint64_t& word, std::uint64_t mask) {
            return (word & mask) == 0;
        });
    }
    std::uint64_t count() const {
        std::uint64_t sum = 0;
        for (const std::uint64_t word : words_) {
            sum += static_cast<std::uint64_t>(std::popcount(word));
        }
        return sum;
    }

  private:
    // Until `work` is false for one; whether it never was.
    template <class Work>
    bool each_word(std::uint64_t first, std::uint64_t end, Work work) {
        end = std::min<std::uint64_t>(end, words_.size() * 64);
        while (first < end) {
            const std::uint64_t in_word = std::min(64 - first % 64, end - first);
            const std::uint64_t mask =
                (in_word == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << in_word) - 1)
                << first % 64;
            if (!work(words_[first / 64], mask)) {
                return false;
            }
            first += in_word;
        }
        return true;
    }
    std::vector<std::uint64_t> words_;
};

// The leaves of `b`, against nothing; then, for each other tree, those that are not there.
class Measure final : public TreeVisitor, public std::enable_shared_from_this<Measure> {
  public:
    Measure(ChunkStore& store, UsageQuery query, io::Callback<Result<TreeUsage>> done)
        : store_(store), query_(std::move(query)), done_(std::move(done)) {}

    void start() { walk({}); }
    void begin(const RootRecord&, const RootRecord& b) override {
        if (next_ == 0) {
            const ImageGeometry& geometry = b.geometry;
            usage_.leaf_bytes = geometry.leaf_bytes();
            unique_.resize((b.size_bytes + usage_.leaf_bytes - 1) / usage_.leaf_bytes);
        }
    }
    bool wants(std::uint64_t first, std::uint64_t count) override {
        return next_ == 0 || unique_.any(first, first + count);
    }
    void same(std::uint64_t first, std::uint64_t count) override {
        unique_.remove(first, first + count);
    }
    bool differs(std::uint64_t leaf, bool, bool in_b) override {
        if (next_ == 0 && in_b) {
            unique_.add(leaf);
        }
        return true;
    }

  private:
    void walk(const RootDigest& other) {
        walk_trees(store_, {.domain = query_.domain, .a = other, .b = query_.root}, *this,
                   [self = shared_from_this()](Status status) { self->walked(std::move(status)); });
    }
    void walked(Status status) {
        const bool other_geometry =
            next_ > 0 && !status && status.error().code() == Code::invalid_argument;
        if (!status && !other_geometry) {
            done_(std::move(status.error()));
            return;
        }
        if (next_ == 0) {
            usage_.allocated_leaves = unique_.count();
        }
        usage_.unique_leaves = unique_.count();
        if (usage_.unique_leaves == 0 || next_ == query_.others.size()) {
            done_(usage_);
            return;
        }
        walk(query_.others[next_++]);
    }

    ChunkStore& store_;
    const UsageQuery query_;
    io::Callback<Result<TreeUsage>> done_;
    std::size_t next_ = 0;  // 0: the tree by itself
    LeafSet unique_;
    TreeUsage usage_;
};

}  // namespace

void measure_tree(ChunkStore& store, UsageQuery query, io::Callback<Result<TreeUsage>> done) {
    const auto measure = std::make_shared<Measure>(store, std::move(query), std::move(done));
    measure->start();
}

}  // namespace kiln::block
