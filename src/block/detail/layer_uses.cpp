// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_uses.h"

#include "util/log.h"

namespace kiln::block {

// --- pins and handles ---

LayerPin::LayerPin(LayerUses& uses, LayerId layer) : uses_(&uses), layer_(std::move(layer)) {
    ++uses_->uses_[layer_].pins;
}

LayerPin& LayerPin::operator=(LayerPin&& other) noexcept {
    if (this != &other) {
        release();
        uses_ = std::exchange(other.uses_, nullptr);
        layer_ = std::move(other.layer_);
    }
    return *this;
}

void LayerPin::release() {
    if (uses_ != nullptr) {
        std::exchange(uses_, nullptr)->release(layer_);
    }
}

UsedLayer::UsedLayer(LayerUses& uses, LayerPin pin, bool writer, std::shared_ptr<Layer> below)
    : uses_(uses),
      id_(pin.layer()),
      use_(std::make_shared<Use>(Use{std::move(pin), writer, std::move(below), {}})) {
    LayerUses::Count& count = uses_.uses_.at(id_);
    if (writer) {
        count.written = true;
    }
    count.handles.push_back(use_.get());
    if (count.checked) {
        use_->below->check_reads();  // it may have been opened just before
    }
}

UsedLayer::~UsedLayer() {
    if (closed_) {
        return;
    }
    // Later: the last operation on it may still be on the stack.
    uses_.context_.scheduler.post([&uses = uses_, use = use_] {
        uses.close(use, [use](Status status) {
            if (!status) {
                log_error("block", "close layer: " + status.error().message());
            }
        });
    });
}

void UsedLayer::seal(Freeze freeze, Done done) {
    use_->below->seal(std::move(freeze),
                      [&uses = uses_, use = use_, done = std::move(done)](Status status) mutable {
                          if (status && use->writer) {
                              use->writer = false;
                              uses.uses_.at(use->pin.layer()).written = false;
                          }
                          done(std::move(status));
                      });
}

void UsedLayer::close(Done done) {
    INVARIANT(!closed_);
    closed_ = true;
    uses_.close(use_, std::move(done));
}

void UsedLayer::drop(Done done) {
    close([&uses = uses_, id = id_, done = std::move(done)](Status closed) mutable {
        if (!closed) {
            done(std::move(closed));
            return;
        }
        uses.drop(id, std::move(done));
    });
}

// --- the register ---

LayerUses::~LayerUses() {
    INVARIANT(uses_.empty());
}

bool LayerUses::being_written(const LayerId& layer) const {
    const auto found = uses_.find(layer);
    return found != uses_.end() && found->second.written;
}

void LayerUses::open(LayerOpen open, Opened done) {
    const auto found = uses_.find(open.layer);
    if (found != uses_.end() && (found->second.written || found->second.dropping)) {
        Error error =
            found->second.dropping
                ? Error(Code::not_found, "layer " + open.layer.str() + " is being dropped")
                : Error(Code::failed_precondition,
                        "layer " + open.layer.str() + " is open for writing");
        context_.scheduler.post([error = std::move(error), done = std::move(done)]() mutable {
            done(std::move(error));
        });
        return;
    }
    LayerPin pin(*this, open.layer);
    if (open.writable) {
        uses_.at(open.layer).written = true;  // from now on: two writers must not meet
    }
    open_or_create(std::move(open), false, std::move(pin), std::move(done));
}

// Opened first, so that it is known whether the layer was made.
void LayerUses::open_or_create(LayerOpen open, bool create, LayerPin pin, Opened done) {
    LayerOpen attempt = open;
    attempt.create = create;
    open_local_layer(
        context_, std::move(attempt),
        [this, open = std::move(open), create, pin = std::move(pin),
         done = std::move(done)](Result<std::shared_ptr<Layer>> layer) mutable {
            if (!layer && layer.error().code() == Code::not_found && open.create && !create) {
                open_or_create(std::move(open), true, std::move(pin), std::move(done));
                return;
            }
            if (!layer) {
                if (open.writable) {
                    uses_.at(open.layer).written = false;
                }
                pin.release();
                done(std::move(layer.error()));
                return;
            }
            ++(create ? created_ : opened_);
            done(std::make_shared<UsedLayer>(*this, std::move(pin), open.writable,
                                             *std::move(layer)));
        });
}

std::shared_ptr<DataCrcMaker> LayerUses::protect(const std::shared_ptr<UsedLayer>& layer,
                                                 Done done) {
    return DataCrcMaker::start(
        context_, layer->id(), layer,
        [this, id = layer->id(), done = std::move(done)](Status made) mutable {
            if (made) {
                Count& count = uses_.at(id);
                count.checked = true;
                for (UsedLayer::Use* use : count.handles) {
                    use->below->check_reads();
                }
            }
            done(std::move(made));
        });
}

void LayerUses::close(const std::shared_ptr<UsedLayer::Use>& use, Done done) {
    std::erase(uses_.at(use->pin.layer()).handles, use.get());
    use->below->close([this, use, done = std::move(done)](Status status) mutable {
        if (use->writer) {
            uses_.at(use->pin.layer()).written = false;
        }
        use->pin.release();
        auto waiting = std::move(use->on_closed);
        done(std::move(status));
        for (io::Callback<>& task : waiting) {
            task();
        }
    });
}

void LayerUses::drop(const LayerId& layer, Done done) {
    if (in_use(layer)) {
        context_.scheduler.post([layer, done = std::move(done)]() mutable {
            done(Error(Code::failed_precondition, "layer " + layer.str() + " is in use"));
        });
        return;
    }
    LayerPin pin(*this, layer);
    uses_.at(layer).dropping = true;
    remove_layer_files(context_, layer,
                       [pin = std::move(pin), done = std::move(done)](Status status) mutable {
                           pin.release();
                           done(std::move(status));
                       });
}

void LayerUses::release(const LayerId& layer) {
    const auto found = uses_.find(layer);
    INVARIANT(found != uses_.end());
    if (--found->second.pins > 0) {
        return;
    }
    uses_.erase(found);
    if (!uses_.empty()) {
        return;
    }
    auto waiting = std::move(idle_);
    idle_.clear();
    for (io::Callback<>& task : waiting) {
        context_.scheduler.post(std::move(task));
    }
}

void LayerUses::when_idle(io::Callback<> done) {
    if (uses_.empty()) {
        context_.scheduler.post(std::move(done));
        return;
    }
    idle_.push_back(std::move(done));
}

}  // namespace kiln::block
