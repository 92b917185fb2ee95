// SPDX-License-Identifier: Apache-2.0
#include "block/volume.h"

#include "block/detail/join.h"
#include "block/geometry.h"

namespace kiln::block {
namespace {

// Whole blocks that a byte range touches.
BlockRange touched(std::uint64_t offset, std::uint64_t length) {
    const std::uint64_t first = offset / kBlockBytes;
    return {first, (offset + length + kBlockBytes - 1) / kBlockBytes - first};
}

bool whole_blocks(std::uint64_t offset, std::uint64_t length) {
    return offset % kBlockBytes == 0 && length % kBlockBytes == 0;
}

// A zeroing step covers zeros that lie between data rather than stopping at each: one record
// instead of many.
constexpr std::uint64_t kZeroGapBlocks = 16384;

}  // namespace

struct Volume::Write {
    StackRef stack;
    BlockRange range;
    std::uint64_t offset = 0;
    ByteView from;
    bool durable = false;
    io::Buffer bounce;  // when not whole aligned blocks
    Done done;
};

struct Volume::Zero {
    StackRef stack;
    BlockRange range;  // locked
    BlockRange rest;
    Done done;
};

Volume::Volume(io::Scheduler& scheduler, VolumeId id, std::uint64_t size_bytes,
               std::shared_ptr<const Stack> stack)
    : scheduler_(scheduler), id_(std::move(id)), size_bytes_(size_bytes), stack_(std::move(stack)) {
    INVARIANT(size_bytes_ % kBlockBytes == 0 &&
              stack_->active->blocks() * kBlockBytes == size_bytes_);
}

Volume::~Volume() {
    INVARIANT(in_flight_ == 0 && locks_.idle());
}

Volume::Source Volume::resolve(const Stack& stack, std::uint64_t first, std::uint64_t limit) {
    Layer* layer = stack.active.get();
    for (std::size_t depth = 0;; ++depth) {
        const BlockRun run = layer->presence(first, limit);
        limit = run.count;
        if (run.state != BlockState::absent) {
            return {run.state == BlockState::data ? layer : nullptr, limit};
        }
        if (depth == stack.sealed.size()) {
            return {nullptr, limit};
        }
        layer = stack.sealed[depth].get();
    }
}

bool Volume::begin(std::uint64_t offset, std::uint64_t length, Done& done) {
    INVARIANT(!closed_);
    std::uint64_t end = 0;
    if (!checked_add(offset, length, end) || end > size_bytes_) {
        scheduler_.post([done = std::move(done)]() mutable {
            done(Error(Code::invalid_argument, "beyond the end of the volume"));
        });
        return false;
    }
    if (length == 0) {
        scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
        return false;
    }
    ++in_flight_;
    done = [this, done = std::move(done)](Status status) mutable {
        --in_flight_;
        if (in_flight_ == 0 && drained_) {
            scheduler_.post(std::move(drained_));
        }
        done(std::move(status));
    };
    return true;
}

// --- reads ---

void Volume::read(std::uint64_t offset, MutableByteView into, Done done) {
    if (!begin(offset, into.size(), done)) {
        return;
    }
    const BlockRange range = touched(offset, into.size());
    if (whole_blocks(offset, into.size()) && io::is_aligned(into.data())) {
        read_blocks(stack_, range, into, std::move(done));
        return;
    }
    auto bounce = std::make_unique<io::Buffer>(range.count * kBlockBytes);
    const MutableByteView view = bounce->mutable_view();
    const ByteView wanted = ByteView(view).subspan(offset % kBlockBytes, into.size());
    read_blocks(
        stack_, range, view,
        [bounce = std::move(bounce), wanted, into, done = std::move(done)](Status status) mutable {
            if (status) {
                std::copy(wanted.begin(), wanted.end(), into.begin());
            }
            done(std::move(status));
        });
}

void Volume::read_blocks(const StackRef& stack, BlockRange range, MutableByteView into, Done done) {
    Source source = resolve(*stack, range.first, range.count);
    if (source.layer != nullptr && source.count == range.count) {
        source.layer->read(range, into, [stack, done = std::move(done)](Status status) mutable {
            done(std::move(status));
        });
        return;
    }
    auto join = Join::create([this, stack, done = std::move(done)](Status status) mutable {
        scheduler_.post([done = std::move(done), status = std::move(status)]() mutable {
            done(std::move(status));
        });
    });
    while (true) {
        const MutableByteView part = into.first(source.count * kBlockBytes);
        if (source.layer != nullptr) {
            source.layer->read({range.first, source.count}, part, join->arm());
        } else {
            std::fill(part.begin(), part.end(), 0);
        }
        into = into.subspan(part.size());
        range = {range.first + source.count, range.count - source.count};
        if (range.count == 0) {
            break;
        }
        source = resolve(*stack, range.first, range.count);
    }
    join->ready();
}

std::vector<Extent> Volume::extents(std::uint64_t offset, std::uint64_t length,
                                    std::size_t most) const {
    INVARIANT(length > 0 && offset + length <= size_bytes_);
    std::vector<Extent> found;
    const std::uint64_t end = offset + length;
    while (offset < end) {
        const BlockRange range = touched(offset, end - offset);
        const Source source = resolve(*stack_, range.first, range.count);
        const std::uint64_t until = std::min((range.first + source.count) * kBlockBytes, end);
        const bool zero = source.layer == nullptr;
        if (!found.empty() && found.back().zero == zero) {
            found.back().bytes += until - offset;
        } else if (found.size() == most) {
            break;
        } else {
            found.push_back({until - offset, zero});
        }
        offset = until;
    }
    return found;
}

// --- writes ---

void Volume::write(std::uint64_t offset, ByteView from, bool durable, Done done) {
    if (!begin(offset, from.size(), done)) {
        return;
    }
    auto write = std::make_shared<Write>();
    write->stack = stack_;
    write->range = touched(offset, from.size());
    write->offset = offset;
    write->from = from;
    write->durable = durable;
    write->done = std::move(done);
    locks_.acquire(write->range, [this, write]() mutable {
        if (whole_blocks(write->offset, write->from.size()) && io::is_aligned(write->from.data())) {
            write_blocks(std::move(write));
        } else {
            write->bounce = io::Buffer(write->range.count * kBlockBytes);
            read_edges(std::move(write));
        }
    });
}

// Fills what the first and the last block of the bounce buffer keep of the present content.
void Volume::read_edges(std::shared_ptr<Write> write) {
    Write& w = *write;
    auto join = Join::create([this, write = std::move(write)](Status status) mutable {
        if (!status) {
            locks_.release(write->range);
            write->done(std::move(status));
            return;
        }
        const std::size_t at = write->offset % kBlockBytes;
        std::copy(write->from.begin(), write->from.end(), write->bounce.data() + at);
        write->from = write->bounce.view();
        write_blocks(std::move(write));
    });
    const MutableByteView bounce = w.bounce.mutable_view();
    const bool head = w.offset % kBlockBytes != 0;
    const bool tail = (w.offset + w.from.size()) % kBlockBytes != 0;
    if (head || (tail && w.range.count == 1)) {
        read_blocks(w.stack, {w.range.first, 1}, bounce.first(kBlockBytes), join->arm());
    }
    if (tail && w.range.count > 1) {
        read_blocks(w.stack, {w.range.end() - 1, 1}, bounce.last(kBlockBytes), join->arm());
    }
    join->ready();
}

void Volume::write_blocks(std::shared_ptr<Write> write) {
    Write& w = *write;
    w.stack->active->write(
        w.range, w.from, [this, write = std::move(write)](Status status) mutable {
            locks_.release(write->range);
            finish_change(write->stack, write->durable, std::move(status), std::move(write->done));
        });
}

void Volume::finish_change(const StackRef& stack, bool durable, Status status, Done done) {
    if (!status || !durable) {
        done(std::move(status));
        return;
    }
    stack->active->flush(stack->active->version(), std::move(done));
}

// --- zeroes ---

void Volume::zero(std::uint64_t offset, std::uint64_t length, bool durable, Done done) {
    if (!begin(offset, length, done)) {
        return;
    }
    const std::uint64_t end = offset + length;
    const std::uint64_t first = (offset + kBlockBytes - 1) / kBlockBytes;
    const std::uint64_t last = end / kBlockBytes;
    const auto zeros = std::make_shared<Bytes>();
    auto join = Join::create(
        [this, stack = stack_, durable, zeros, done = std::move(done)](Status status) mutable {
            finish_change(stack, durable, std::move(status), std::move(done));
        });
    zeros->assign(kBlockBytes, 0);
    if (first > last) {
        write(offset, ByteView(*zeros).first(length), false, join->arm());  // inside one block
        join->ready();
        return;
    }
    if (offset % kBlockBytes != 0) {
        write(offset, ByteView(*zeros).first(first * kBlockBytes - offset), false, join->arm());
    }
    if (end % kBlockBytes != 0) {
        write(last * kBlockBytes, ByteView(*zeros).first(end - last * kBlockBytes), false,
              join->arm());
    }
    if (first < last) {
        zero_blocks({first, last - first}, join->arm());
    }
    join->ready();
}

void Volume::zero_blocks(BlockRange range, Done done) {
    auto zero = std::make_shared<Zero>();
    zero->stack = stack_;
    zero->range = range;
    zero->rest = range;
    zero->done = std::move(done);
    locks_.acquire(range, [this, zero] { zero_next(zero); });
}

// Zeroes the next stretch that reads as data. What reads as zeros already needs no record: a
// discard of a whole empty 64 TiB device changes nothing.
void Volume::zero_next(std::shared_ptr<Zero> zero) {
    BlockRange& rest = zero->rest;
    BlockRange stretch{};
    while (rest.count > 0) {
        const Source source = resolve(*zero->stack, rest.first, rest.count);
        if (source.layer != nullptr) {
            if (stretch.count == 0) {
                stretch.first = rest.first;
            }
            stretch.count = rest.first + source.count - stretch.first;
        } else if (stretch.count > 0 &&
                   rest.first + source.count - stretch.end() > kZeroGapBlocks) {
            break;
        }
        rest = {rest.first + source.count, rest.count - source.count};
    }
    const auto finish = [this, zero](Status status) {
        locks_.release(zero->range);
        zero->done(std::move(status));
    };
    if (stretch.count == 0) {
        scheduler_.post([finish]() mutable { finish(ok()); });
        return;
    }
    zero->stack->active->zero(stretch, [this, zero, finish](Status status) mutable {
        if (!status) {
            finish(std::move(status));
            return;
        }
        zero_next(zero);
    });
}

// --- flush, close ---

void Volume::flush(Done done) {
    if (!begin(0, size_bytes_, done)) {
        return;
    }
    stack_->active->flush(stack_->active->version(),
                          [stack = stack_, done = std::move(done)](Status status) mutable {
                              done(std::move(status));
                          });
}

void Volume::when_drained(io::Callback<> task) {
    INVARIANT(!drained_);
    if (in_flight_ == 0) {
        scheduler_.post(std::move(task));
        return;
    }
    drained_ = std::move(task);
}

void Volume::close(Done done) {
    when_drained([this, done = std::move(done)]() mutable {
        closed_ = true;
        stack_->active->flush(stack_->active->version(),
                              [this, done = std::move(done)](Status status) mutable {
                                  close_layers(std::move(status), std::move(done));
                              });
    });
}

void Volume::seal_and_close(Freeze freeze, Done done) {
    when_drained([this, freeze = std::move(freeze), done = std::move(done)]() mutable {
        closed_ = true;
        stack_->active->seal(std::move(freeze),
                             [this, done = std::move(done)](Status status) mutable {
                                 close_layers(std::move(status), std::move(done));
                             });
    });
}

void Volume::close_layers(Status status, Done done) {
    auto join =
        Join::create([status = std::move(status), done = std::move(done)](Status closed) mutable {
            done(status ? std::move(closed) : std::move(status));
        });
    stack_->active->close(join->arm());
    for (const auto& layer : stack_->sealed) {
        layer->close(join->arm());
    }
    join->ready();
}

}  // namespace kiln::block
