// SPDX-License-Identifier: Apache-2.0
#include "block/detail/destage_run.h"

#include <algorithm>

#include "block/geometry.h"
#include "util/log.h"

namespace kiln::block {

class DestageRun::Layers final : public ContentSource {
  public:
    Layers(io::Scheduler& scheduler, std::uint64_t size_bytes, Stack stack)
        : scheduler_(scheduler),
          size_bytes_(size_bytes),
          stack_(std::make_shared<const Stack>(std::move(stack))) {}

    const Stack& stack() const { return *stack_; }
    std::uint64_t size_bytes() const override { return size_bytes_; }

    std::optional<ByteRange> next_dirty(std::uint64_t from) override {
        const std::uint64_t end = size_bytes_ / kBlockBytes;
        std::uint64_t block = from / kBlockBytes;
        while (block < end) {
            std::uint64_t clean = end - block;
            for (const auto& layer : stack_->sealed) {
                const BlockRun run = layer->presence(block, clean);
                if (run.state != BlockState::absent) {
                    const std::uint64_t offset = block * kBlockBytes;
                    return ByteRange{offset, run.count * kBlockBytes};
                }
                clean = std::min(clean, run.count);
            }
            block += clean;
        }
        return std::nullopt;
    }
    void read(std::uint64_t offset, MutableByteView into, Done done) override {
        INVARIANT(offset % kBlockBytes == 0 && into.size() % kBlockBytes == 0);
        read_stack(scheduler_, stack_, {offset / kBlockBytes, into.size() / kBlockBytes}, into,
                   std::move(done));
    }

  private:
    io::Scheduler& scheduler_;
    const std::uint64_t size_bytes_;
    const StackRef stack_;
};

std::shared_ptr<DestageRun> DestageRun::start(const EngineParts& parts, const ContentId& content,
                                              std::uint64_t epoch, Finished done) {
    const std::shared_ptr<DestageRun> self(new DestageRun(parts, epoch, std::move(done)));
    // The first rooted one is in its tree whole; its layers are not needed.
    StackOpener::start(parts, {.base = content, .rooted_layers = false},
                       [self](Result<OpenedStack> opened) { self->opened(std::move(opened)); });
    return self;
}

void DestageRun::cancel() {
    cancelled_ = true;
    if (maker_) {
        maker_->cancel();
    }
    if (destage_) {
        destage_->cancel();
    }
}

void DestageRun::opened(Result<OpenedStack> opened) {
    if (!opened) {
        end(std::move(opened.error()));
        return;
    }
    const ContentRecord content = opened->chain.front();
    const ContentRecord& last = opened->chain.back();
    options_ = {.base = {},
                .size_bytes = content.size_bytes,
                .geometry = parts_.images.geometry,
                .domain = {},
                .epoch = epoch_};
    if (const auto& base = opened->stack.base) {
        options_.base = *parse_root_digest(last.root_digest);
        options_.geometry = base->root().geometry;
    }
    to_protect_ = std::move(opened->layers);
    source_ =
        std::make_shared<Layers>(parts_.scheduler, content.size_bytes, std::move(opened->stack));
    if (content.state == ContentState::rooted) {
        end(Error(Code::failed_precondition, "content " + content.id.str() + " is rooted"));
    } else {
        protect_next();
    }
}

// Before anything is read that becomes a tree. What cannot get check sums is as good as it was
// before: a full device, above all, must not keep a destage from making room.
void DestageRun::protect_next() {
    if (cancelled_) {
        end(Error(Code::cancelled, "the destage was cancelled"));
        return;
    }
    if (to_protect_.empty()) {
        destage_ = Destage::start(
            parts_.images.store, *source_, options_,
            [self = shared_from_this()](Result<WrittenTree> tree) { self->end(std::move(tree)); });
        return;
    }
    const std::shared_ptr<UsedLayer> layer = std::move(to_protect_.back());
    to_protect_.pop_back();
    maker_ =
        parts_.layers.protect(layer, [self = shared_from_this(), id = layer->id()](Status made) {
            self->maker_.reset();
            if (!made && made.error().code() != Code::cancelled) {
                log_warn("block", "the data of layer " + id.str() +
                                      " has no check sums: " + made.error().message());
            }
            self->protect_next();
        });
}

void DestageRun::end(Result<WrittenTree> result) {
    // Posted: this may run inside the completion of a read on one of the layers.
    parts_.scheduler.post([self = shared_from_this(), result = std::move(result)]() mutable {
        DestageRun& run = *self;
        Done closed = [self = std::move(self), result = std::move(result)](Status) mutable {
            self->destage_.reset();
            self->to_protect_.clear();
            self->source_.reset();
            Finished done = std::move(self->done_);
            done(std::move(result));
        };
        if (run.source_) {
            close_stack(run.source_->stack(), std::move(closed));
        } else {
            closed(ok());
        }
    });
}

}  // namespace kiln::block
