// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_diff.h"

#include "block/image/tree_walk.h"

namespace kiln::block {
namespace {

class Page final : public TreeVisitor {
  public:
    explicit Page(const DiffQuery& query) : query_(query) {}
    void begin(const RootRecord& a, const RootRecord& b) override {
        page.leaf_bytes = (query_.b.zero() ? a : b).geometry.leaf_bytes();
    }
    bool wants(std::uint64_t first, std::uint64_t count) override {
        return first + count > query_.from_leaf;
    }
    void same(std::uint64_t, std::uint64_t) override {}
    bool differs(std::uint64_t leaf, bool in_a, bool in_b) override {
        if (page.changes.size() == query_.limit) {
            page.next_leaf = leaf;
            return false;
        }
        page.changes.push_back({leaf, in_a, in_b});
        return true;
    }
    LeafPage page;

  private:
    const DiffQuery query_;
};

}  // namespace

void diff_leaves(ChunkStore& store, const DiffQuery& query, io::Callback<Result<LeafPage>> done) {
    INVARIANT(query.limit > 0);
    const auto page = std::make_shared<Page>(query);
    walk_trees(store, {.domain = query.domain, .a = query.a, .b = query.b}, *page,
               [page, done = std::move(done)](Status status) mutable {
                   if (status) {
                       done(std::move(page->page));
                   } else {
                       done(std::move(status.error()));
                   }
               });
}

}  // namespace kiln::block
