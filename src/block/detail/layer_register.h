// SPDX-License-Identifier: Apache-2.0
// LayerRegister: which layers of a store are in use, whoever's reactor uses them: so that nobody
// unlinks, or opens for writing, what another uses, and everybody who reads a layer whose data got
// check sums compares with them. Owners share nothing else of layers: each has files and handles of
// its own.
//
// Errors: failed_precondition for a layer that is being written (or, to drop, in use), not_found
// for one that is being dropped. Thread-safe; outlives every LayerUses.
#pragma once

#include <map>
#include <vector>

#include "block/ids.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::block {

class LayerUses;

class LayerRegister {
  public:
    // Told of what happens to layers; from then on until leave().
    void join(LayerUses& owner) EXCLUDES(mutex_);
    void leave(LayerUses& owner) EXCLUDES(mutex_);

    // A use, until unpin().
    void pin(const LayerId& layer) EXCLUDES(mutex_);
    void unpin(const LayerId& layer) EXCLUDES(mutex_);
    // A use by an open handle; with `writer` the only such, until end_writing().
    Status pin_to_open(const LayerId& layer, bool writer) EXCLUDES(mutex_);
    void end_writing(const LayerId& layer) EXCLUDES(mutex_);
    // The only use; nobody opens the layer until unpin().
    Status pin_to_drop(const LayerId& layer) EXCLUDES(mutex_);

    // An open handle may change it: it is not sealed.
    bool being_written(const LayerId& layer) const EXCLUDES(mutex_);

    // The data of a layer in use got check sums: every owner is told, by a task on its thread.
    void set_checked(const LayerId& layer) EXCLUDES(mutex_);
    bool checked(const LayerId& layer) const EXCLUDES(mutex_);

  private:
    struct Count {
        std::size_t pins = 0;
        bool written = false;
        bool dropping = false;
        bool checked = false;
    };
    mutable Mutex mutex_;
    std::map<LayerId, Count> layers_ GUARDED_BY(mutex_);
    std::vector<LayerUses*> owners_ GUARDED_BY(mutex_);  // as they came
};

}  // namespace kiln::block
