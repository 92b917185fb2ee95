// SPDX-License-Identifier: Apache-2.0
// Reads a part of a sealed layer's data: at most 8 MiB, 1 MiB at a time. What cannot be read is
// noted to the block and passed over; any other error is one. Completes once, never inside the
// call. Thread model: one owner thread.
#pragma once

#include <memory>

#include "block/layer.h"
#include "block/verify_page.h"
#include "io/scheduler.h"

namespace kiln::block {

struct LayerCheckQuery {
    std::shared_ptr<Layer> layer;
    LayerId id;
    ContentId content;         // for what is said about damage
    std::uint64_t offset = 0;  // of a block; the next page's is in VerifyPage::next
};

void check_layer(io::Scheduler& scheduler, LayerCheckQuery query,
                 io::Callback<Result<VerifyPage>> done);

}  // namespace kiln::block
