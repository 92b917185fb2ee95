// SPDX-License-Identifier: Apache-2.0
// Finds where a stack may hold bytes other than zeros: in layers to the block, by their presence
// maps; in the tree to the leaf (512 KiB), by its nodes alone. The work grows with the data and,
// by one step for each GiB, with the size. Errors: those of reading nodes. Thread model: one owner
// thread; completions never run inside the call.
#pragma once

#include "block/data_page.h"
#include "block/detail/stack.h"

namespace kiln::block {

struct DataQuery {
    std::uint64_t size_bytes = 0;  // of the volume, whole blocks
    std::uint64_t offset = 0;      // a whole block, at most the size
    std::size_t most = 1;          // ranges; at least 1
};

void find_data(io::Scheduler& scheduler, const StackRef& stack, const DataQuery& query,
               io::Callback<Result<DataPage>> done);

}  // namespace kiln::block
