// SPDX-License-Identifier: Apache-2.0
#include "block/detail/zeroing.h"

#include <algorithm>

#include "block/geometry.h"
#include "block/image/tree_diff.h"

namespace kiln::block {
namespace {

// A stretch covers zeros that lie between data rather than stopping at each: one record instead of
// many. And a piece of tree this small is zeroed without asking: 64 MiB.
constexpr std::uint64_t kGapBlocks = 16384;

}  // namespace

Zeroing::Zeroing(io::Scheduler& scheduler, StackRef stack, BlockRange range, Done done)
    : scheduler_(scheduler), stack_(std::move(stack)), rest_(range), done_(std::move(done)) {}

void Zeroing::start(io::Scheduler& scheduler, StackRef stack, BlockRange range, Done done) {
    std::shared_ptr<Zeroing>(new Zeroing(scheduler, std::move(stack), range, std::move(done)))
        ->next();
}

void Zeroing::next() {
    while (rest_.count > 0) {
        if (!step()) {
            return;
        }
    }
    if (stretch_.count > 0) {
        write();
        return;
    }
    scheduler_.post([self = shared_from_this()] {
        Done done = std::move(self->done_);
        done(ok());
    });
}

// False when something has to complete first; next() follows then.
bool Zeroing::step() {
    const Source source = resolve(*stack_, rest_.first, rest_.count);
    switch (source.kind) {
        case Source::Kind::layer:
            dirty(source.count);
            break;
        case Source::Kind::base:
            if (!look_into_base(source.count)) {
                return false;
            }
            break;
        case Source::Kind::zeros:
            rest_ = {rest_.first + source.count, rest_.count - source.count};
            break;
    }
    if (stretch_.count > 0 && rest_.first - stretch_.end() > kGapBlocks) {
        write();
        return false;
    }
    return true;
}

void Zeroing::dirty(std::uint64_t count) {
    if (stretch_.count == 0) {
        stretch_.first = rest_.first;
    }
    stretch_.count = rest_.first + count - stretch_.first;
    rest_ = {rest_.first + count, rest_.count - count};
}

// The next `count` blocks come from the tree.
bool Zeroing::look_into_base(std::uint64_t count) {
    const std::uint64_t first = rest_.first;
    if (first >= base_known_) {
        if (count > kGapBlocks) {
            ask_base(first);
            return false;
        }
        dirty(count);
        return true;
    }
    const std::uint64_t end = std::min(first + count, base_known_);
    const auto data = std::find_if(base_data_.begin(), base_data_.end(),
                                   [&](const BlockRange& range) { return range.end() > first; });
    if (data != base_data_.end() && data->first <= first) {
        dirty(std::min(end, data->end()) - first);
        return true;
    }
    const std::uint64_t until = data == base_data_.end() ? end : std::min(end, data->first);
    rest_ = {until, rest_.count - (until - first)};
    return true;
}

void Zeroing::ask_base(std::uint64_t first) {
    const RootRecord& root = stack_->base->root();
    const std::uint64_t leaf_blocks = root.geometry.leaf_bytes() / kBlockBytes;
    diff_leaves(stack_->base->store(),
                {.domain = root.domain,
                 .a = {},
                 .b = plain_id(encode_root(root)),
                 .from_leaf = first / leaf_blocks},
                [self = shared_from_this(), leaf_blocks](Result<LeafPage> page) {
                    if (!page) {
                        Done done = std::move(self->done_);
                        done(std::move(page.error()));
                        return;
                    }
                    self->base_data_.clear();
                    for (const LeafChange& change : page->changes) {
                        self->base_data_.push_back({change.leaf * leaf_blocks, leaf_blocks});
                    }
                    self->base_known_ =
                        page->next_leaf ? *page->next_leaf * leaf_blocks : self->rest_.end();
                    self->next();
                });
}

void Zeroing::write() {
    stack_->active->zero(std::exchange(stretch_, BlockRange{}),
                         [self = shared_from_this()](Status status) {
                             if (!status) {
                                 Done done = std::move(self->done_);
                                 done(std::move(status));
                                 return;
                             }
                             self->next();
                         });
}

}  // namespace kiln::block
