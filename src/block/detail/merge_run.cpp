// SPDX-License-Identifier: Apache-2.0
#include "block/detail/merge_run.h"

#include "block/detail/join.h"
#include "block/geometry.h"
#include "util/log.h"

namespace kiln::block {
namespace {

constexpr std::uint64_t kStepBlocks = (1U << 20) / kBlockBytes;

Status check(const LayerMerge& merge) {
    if (merge.layers.size() < 2 || !valid_id(merge.target.str())) {
        return Error(Code::invalid_argument, "a merge has two layers at least, and a name");
    }
    std::uint64_t above = merge.layers.front().size_bytes;
    for (const SpareLayer& layer : merge.layers) {
        if (layer.id == merge.target || layer.size_bytes > above) {
            return Error(
                Code::invalid_argument,
                "layer " + layer.id.str() + " cannot be merged into " + merge.target.str());
        }
        above = layer.size_bytes;
    }
    return ok();
}

}  // namespace

std::shared_ptr<MergeRun> MergeRun::start(LayerUses& layers, LayerMerge merge, Done done) {
    const std::shared_ptr<MergeRun> self(new MergeRun(layers, std::move(merge), std::move(done)));
    layers.context().scheduler.post([self] { self->begin(); });
    return self;
}

void MergeRun::begin() {
    if (Status fine = check(merge_); !fine) {
        end(std::move(fine));
        return;
    }
    for (const SpareLayer& layer : merge_.layers) {
        pins_.emplace_back(layers_, layer.id);
    }
    open_next();
}

void MergeRun::open_next() {
    if (sources_.size() == merge_.layers.size()) {
        pins_.clear();
        open_target();
        return;
    }
    const SpareLayer& next = merge_.layers[sources_.size()];
    layers_.open({.layer = next.id, .volume = {}, .size_bytes = next.size_bytes},
                 [self = shared_from_this()](Result<std::shared_ptr<UsedLayer>> layer) {
                     if (!layer) {
                         self->end(std::move(layer.error()));
                         return;
                     }
                     self->sources_.push_back(*std::move(layer));
                     self->open_next();
                 });
}

// What an earlier attempt left is not trusted.
void MergeRun::open_target() {
    layers_.drop(merge_.target, [self = shared_from_this()](Status dropped) {
        MergeRun& run = *self;
        if (!dropped) {
            run.end(std::move(dropped));
            return;
        }
        run.layers_.open({.layer = run.merge_.target,
                          .volume = run.merge_.writer,
                          .size_bytes = run.merge_.layers.front().size_bytes,
                          .writable = true,
                          .create = true},
                         [self](Result<std::shared_ptr<UsedLayer>> layer) {
                             if (!layer) {
                                 self->end(std::move(layer.error()));
                                 return;
                             }
                             self->target_ = *std::move(layer);
                             self->buffer_ = io::Buffer(kStepBlocks * kBlockBytes);
                             self->copy_next();
                         });
    });
}

void MergeRun::copy_next() {
    if (cancelled_) {
        end(Error(Code::cancelled, "the merge was cancelled"));
        return;
    }
    const std::uint64_t end_of_all = target_->blocks();
    while (at_ < end_of_all) {
        std::uint64_t limit = end_of_all - at_;
        for (const auto& source : sources_) {
            const BlockRun run = source->presence(at_, limit);
            limit = run.count;
            if (run.state == BlockState::zero) {
                target_->zero({std::exchange(at_, at_ + limit), limit},
                              [self = shared_from_this()](Status status) {
                                  self->copied(std::move(status));
                              });
                return;
            }
            if (run.state == BlockState::data) {
                limit = std::min(limit, kStepBlocks);
                copy_data(*source, {std::exchange(at_, at_ + limit), limit});
                return;
            }
        }
        at_ += limit;
    }
    seal();
}

void MergeRun::copy_data(Layer& from, BlockRange range) {
    const MutableByteView into = buffer_.mutable_view().first(range.count * kBlockBytes);
    from.read(range, into, [self = shared_from_this(), range, into](Status read) {
        if (!read) {
            self->end(std::move(read));
            return;
        }
        self->target_->write(range, into,
                             [self](Status written) { self->copied(std::move(written)); });
    });
}

void MergeRun::copied(Status status) {
    if (status) {
        copy_next();
    } else {
        end(std::move(status));
    }
}

void MergeRun::seal() {
    target_->seal({}, [self = shared_from_this()](Status sealed) {
        if (sealed) {
            self->protect();
        } else {
            self->end(std::move(sealed));
        }
    });
}

// Nobody stores it as a tree, which would see to that. Without check sums it is as good as its
// sources were before they had them.
void MergeRun::protect() {
    maker_ = layers_.protect(target_, [self = shared_from_this()](Status made) {
        self->maker_.reset();
        const bool cancelled = !made && made.error().code() == Code::cancelled;
        if (!made && !cancelled) {
            log_warn("block", "the data of layer " + self->merge_.target.str() +
                                  " has no check sums: " + made.error().message());
        }
        self->end(cancelled ? std::move(made) : ok());
    });
}

void MergeRun::cancel() {
    cancelled_ = true;
    if (maker_) {
        maker_->cancel();
    }
}

void MergeRun::end(Status status) {
    // Posted: this may run inside the completion of an operation on one of the layers.
    layers_.context().scheduler.post(
        [self = shared_from_this(), status = std::move(status)]() mutable {
            MergeRun& run = *self;
            run.pins_.clear();
            const bool failed = !status;
            const auto join = Join::create(
                [self = std::move(self), status = std::move(status)](Status closed) mutable {
                    Done done = std::move(self->done_);
                    self->sources_.clear();
                    self->target_.reset();
                    done(status ? std::move(closed) : std::move(status));
                });
            for (const auto& source : run.sources_) {
                source->close(join->arm());
            }
            if (run.target_ && failed) {
                run.target_->drop(join->arm());
            } else if (run.target_) {
                run.target_->close(join->arm());
            }
            join->ready();
        });
}

}  // namespace kiln::block
