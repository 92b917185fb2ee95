// SPDX-License-Identifier: Apache-2.0
#include "block/detail/layer_uses.h"

#include "util/log.h"

namespace kiln::block {

// --- pins and handles ---

LayerPin::LayerPin(LayerUses& uses, LayerId layer) : LayerPin(adopt(uses, std::move(layer))) {
    uses.register_.pin(layer_);
}

LayerPin LayerPin::adopt(LayerUses& uses, LayerId layer) {
    LayerPin pin;
    pin.uses_ = &uses;
    pin.layer_ = std::move(layer);
    ++uses.pins_;
    return pin;
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
    uses_.handles_[id_].push_back(use_.get());
    if (uses_.register_.checked(id_)) {
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
                              uses.register_.end_writing(use->pin.layer());
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

// --- all of an owner ---

LayerUses::LayerUses(const LayerContext& context, LayerRegister& layers)
    : context_(context), register_(layers) {
    register_.join(*this);
}

LayerUses::~LayerUses() {
    INVARIANT(pins_ == 0 && handles_.empty());
    register_.leave(*this);
}

void LayerUses::open(LayerOpen open, Opened done) {
    // From now on, not from when it is open: two writers must not meet.
    if (Status pinned = register_.pin_to_open(open.layer, open.writable); !pinned) {
        context_.scheduler.post([error = std::move(pinned.error()),
                                 done = std::move(done)]() mutable { done(std::move(error)); });
        return;
    }
    LayerPin pin = LayerPin::adopt(*this, open.layer);
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
                    register_.end_writing(open.layer);
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
                register_.set_checked(id);
                check_reads(id);
            }
            done(std::move(made));
        });
}

void LayerUses::tell_checked(const LayerId& layer) {
    context_.scheduler.post([self = std::weak_ptr(self_), layer] {
        if (const auto uses = self.lock()) {
            (*uses)->check_reads(layer);
        }
    });
}

void LayerUses::check_reads(const LayerId& layer) {
    if (const auto found = handles_.find(layer); found != handles_.end()) {
        for (UsedLayer::Use* use : found->second) {
            use->below->check_reads();
        }
    }
}

void LayerUses::close(const std::shared_ptr<UsedLayer::Use>& use, Done done) {
    const auto handles = handles_.find(use->pin.layer());
    std::erase(handles->second, use.get());
    if (handles->second.empty()) {
        handles_.erase(handles);
    }
    use->below->close([this, use, done = std::move(done)](Status status) mutable {
        if (use->writer) {
            register_.end_writing(use->pin.layer());
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
    if (Status pinned = register_.pin_to_drop(layer); !pinned) {
        context_.scheduler.post([pinned = std::move(pinned), done = std::move(done)]() mutable {
            done(std::move(pinned));
        });
        return;
    }
    LayerPin pin = LayerPin::adopt(*this, layer);
    remove_layer_files(context_, layer,
                       [pin = std::move(pin), done = std::move(done)](Status status) mutable {
                           pin.release();
                           done(std::move(status));
                       });
}

void LayerUses::release(const LayerId& layer) {
    register_.unpin(layer);
    if (--pins_ > 0) {
        return;
    }
    auto waiting = std::move(idle_);
    idle_.clear();
    for (io::Callback<>& task : waiting) {
        context_.scheduler.post(std::move(task));
    }
}

void LayerUses::when_idle(io::Callback<> done) {
    if (pins_ == 0) {
        context_.scheduler.post(std::move(done));
        return;
    }
    idle_.push_back(std::move(done));
}

}  // namespace kiln::block
