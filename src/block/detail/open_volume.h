// SPDX-License-Identifier: Apache-2.0
// OpenVolume: what VolumeOwner knows of one volume, from the call to open it until it is closed.
// `busy` holds a close back. Thread model: one owner thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "block/detail/stack_opener.h"
#include "block/export/volume_export.h"
#include "block/volume.h"

namespace kiln::block {

struct OpenVolume {
    enum class State { opening, open, closing };
    State state = State::opening;
    VolumeId id;
    std::unique_ptr<Volume> volume;
    std::map<std::string, std::unique_ptr<VolumeExport>> exports;
    std::vector<io::Callback<>> settled;  // run once it is open, or gone

    // What it stands on; changed by cuts and when a content is rooted, which counts `changes`.
    ContentId base;
    std::shared_ptr<UsedLayer> active;               // none: a content, read-only
    std::vector<std::shared_ptr<UsedLayer>> layers;  // those of the stack's `sealed`
    std::vector<ContentId> contents;                 // down to the first rooted one
    std::uint64_t changes = 0;

    // Layers are sealed one after the other, oldest first.
    bool sealing = false;
    bool seal_failed = false;
    std::deque<io::Callback<>> to_seal;

    bool growing = false;  // the active layer is being extended

    std::size_t busy = 0;  // cuts and changes of the stack under way
    io::Callback<> idle;

    void release() {
        if (--busy == 0 && idle) {
            io::Callback<> task = std::move(idle);
            task();
        }
    }
};

}  // namespace kiln::block
