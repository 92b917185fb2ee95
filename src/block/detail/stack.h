// SPDX-License-Identifier: Apache-2.0
// Stack: what a volume or a content consists of, top first: the active layer, sealed layers, the
// tree below them. Each block comes from the first layer that has it, else from the tree; where
// nothing has it, and beyond the tree's size, it is zeros.
//
// A stack is an immutable value; whoever started an operation on one keeps it until the end. Thread
// model: one owner thread; completions never run inside the call.
#pragma once

#include <memory>
#include <vector>

#include "block/detail/layer_index.h"
#include "block/image/tree_reader.h"
#include "block/layer.h"
#include "io/scheduler.h"

namespace kiln::block {

struct Stack {
    std::shared_ptr<Layer> active;               // none: nothing can be changed
    std::vector<std::shared_ptr<Layer>> sealed;  // newest first
    std::shared_ptr<TreeReader> base{};          // may be none
    // So many of the first of `sealed` are not sealed yet, and perhaps not durable: the cut is
    // over, its sealing is not.
    std::size_t unsealed = 0;
    // Of `sealed`, for reads. They say what they said when reads remember it.
    mutable LayerIndex index{};
};

using StackRef = std::shared_ptr<const Stack>;

// Where `count` blocks come from.
struct Source {
    enum class Kind { zeros, layer, base };
    Kind kind = Kind::zeros;
    std::uint64_t count = 0;
    Layer* layer = nullptr;
};

// The longest run from `first` with one source, at most `limit` blocks. Asks the layers one after
// the other: for those who look at much of a stack, once.
Source resolve(const Stack& stack, std::uint64_t first, std::uint64_t limit);

// Whole blocks into memory that is aligned to a page.
void read_stack(io::Scheduler& scheduler, const StackRef& stack, BlockRange range,
                MutableByteView into, Done done);

// Makes every change completed so far durable: the layers still being sealed first, so that what is
// above never outlives what is below.
void flush_stack(io::Scheduler& scheduler, const StackRef& stack, Done done);

// Closes every layer. Nothing else may use them.
void close_stack(const Stack& stack, Done done);

}  // namespace kiln::block
