// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_register.h"

#include "block/detail/layer_uses.h"

namespace kiln::block {

void LayerRegister::join(LayerUses& owner) {
    MutexLock lock(mutex_);
    owners_.push_back(&owner);
}

void LayerRegister::leave(LayerUses& owner) {
    MutexLock lock(mutex_);
    std::erase(owners_, &owner);
}

void LayerRegister::pin(const LayerId& layer) {
    MutexLock lock(mutex_);
    ++layers_[layer].pins;
}

void LayerRegister::unpin(const LayerId& layer) {
    MutexLock lock(mutex_);
    const auto found = layers_.find(layer);
    INVARIANT(found != layers_.end());
    if (--found->second.pins == 0) {
        layers_.erase(found);
    }
}

Status LayerRegister::pin_to_open(const LayerId& layer, bool writer) {
    MutexLock lock(mutex_);
    if (const auto found = layers_.find(layer); found != layers_.end()) {
        if (found->second.dropping) {
            return Error(Code::not_found, "layer " + layer.str() + " is being dropped");
        }
        if (found->second.written) {
            return Error(Code::failed_precondition,
                         "layer " + layer.str() + " is open for writing");
        }
    }
    Count& count = layers_[layer];
    ++count.pins;
    count.written = writer;
    return ok();
}

void LayerRegister::end_writing(const LayerId& layer) {
    MutexLock lock(mutex_);
    layers_.at(layer).written = false;
}

Status LayerRegister::pin_to_drop(const LayerId& layer) {
    MutexLock lock(mutex_);
    if (layers_.contains(layer)) {
        return Error(Code::failed_precondition, "layer " + layer.str() + " is in use");
    }
    Count& count = layers_[layer];
    ++count.pins;
    count.dropping = true;
    return ok();
}

bool LayerRegister::being_written(const LayerId& layer) const {
    MutexLock lock(mutex_);
    const auto found = layers_.find(layer);
    return found != layers_.end() && found->second.written;
}

void LayerRegister::set_checked(const LayerId& layer) {
    MutexLock lock(mutex_);
    layers_.at(layer).checked = true;
    for (LayerUses* owner : owners_) {
        owner->tell_checked(layer);
    }
}

bool LayerRegister::checked(const LayerId& layer) const {
    MutexLock lock(mutex_);
    const auto found = layers_.find(layer);
    return found != layers_.end() && found->second.checked;
}

}  // namespace kiln::block
