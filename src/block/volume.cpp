// SPDX-License-Identifier: Apache-2.0
#include "block/volume.h"

#include "block/detail/join.h"
#include "block/detail/zeroing.h"
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

}  // namespace

struct Volume::Write {
    StackRef stack;
    BlockRange range;
    std::uint64_t offset = 0;
    ByteView from;
    io::Buffer bounce;  // when not whole aligned blocks
    Done done;
};

Volume::Volume(io::Scheduler& scheduler, VolumeId id, std::uint64_t size_bytes, StackRef stack)
    : scheduler_(scheduler), id_(std::move(id)), size_bytes_(size_bytes), stack_(std::move(stack)) {
    INVARIANT(size_bytes_ % kBlockBytes == 0 &&
              (!stack_->active || stack_->active->blocks() * kBlockBytes >= size_bytes_));
}

Volume::~Volume() {
    INVARIANT(in_flight_ == 0 && held_.empty() && locks_.idle());
}

// --- counting ---

void Volume::answer_later(Done done, Status status) {
    scheduler_.post([done = std::move(done), status = std::move(status)]() mutable {
        done(std::move(status));
    });
}

void Volume::note(const Status& status) {
    if (!status && !trouble_ &&
        (status.error().code() == Code::io_error || status.error().code() == Code::data_loss)) {
        trouble_ = status.error();
    }
}

bool Volume::begin(std::uint64_t offset, std::uint64_t length, bool change, Done& done) {
    INVARIANT(!closed_);
    std::uint64_t end = 0;
    if (!checked_add(offset, length, end) || end > size_bytes_) {
        answer_later(std::move(done),
                     Error(Code::invalid_argument, "beyond the end of the volume"));
        return false;
    }
    if (change && read_only()) {
        answer_later(std::move(done), Error(Code::failed_precondition,
                                            "volume " + id_.str() + " is a content, read-only"));
        return false;
    }
    if (length == 0) {
        answer_later(std::move(done), ok());
        return false;
    }
    ++in_flight_;
    return true;
}

void Volume::count(bool durable, Done& done) {
    ++data_in_flight_;
    if (!durable) {
        done = [this, done = std::move(done)](Status status) mutable {
            note(status);
            end_data();
            end();
            done(std::move(status));
        };
        return;
    }
    // The change is over for a cut when its bytes are there; its flush goes on, on this stack.
    done = [this, stack = stack_, done = std::move(done)](Status status) mutable {
        end_data();
        Done flushed = [this, done = std::move(done)](Status result) mutable {
            note(result);
            end();
            done(std::move(result));
        };
        if (!status) {
            flushed(std::move(status));
            return;
        }
        flush_stack(scheduler_, stack, std::move(flushed));
    };
}

void Volume::end_data() {
    --data_in_flight_;
    if (data_in_flight_ == 0 && quiet_) {
        scheduler_.post(std::move(quiet_));
    }
}

void Volume::end() {
    --in_flight_;
    if (in_flight_ == 0 && drained_) {
        scheduler_.post(std::move(drained_));
    }
}

// --- reads ---

void Volume::read(std::uint64_t offset, MutableByteView into, Done done) {
    if (paused_) {
        held_.emplace_back([this, offset, into, done = std::move(done)]() mutable {
            read(offset, into, std::move(done));
        });
        return;
    }
    if (!begin(offset, into.size(), false, done)) {
        return;
    }
    count(false, done);
    const BlockRange range = touched(offset, into.size());
    if (whole_blocks(offset, into.size()) && io::is_aligned(into.data())) {
        read_stack(scheduler_, stack_, range, into, std::move(done));
        note_read(offset, into.size());
        return;
    }
    auto bounce = std::make_unique<io::Buffer>(range.count * kBlockBytes);
    const MutableByteView view = bounce->mutable_view();
    const ByteView wanted = ByteView(view).subspan(offset % kBlockBytes, into.size());
    read_stack(
        scheduler_, stack_, range, view,
        [bounce = std::move(bounce), wanted, into, done = std::move(done)](Status status) mutable {
            if (status) {
                std::copy(wanted.begin(), wanted.end(), into.begin());
            }
            done(std::move(status));
        });
    note_read(offset, into.size());
}

void Volume::note_read(std::uint64_t offset, std::uint64_t length) {
    if (ahead_) {
        ahead_->note(*stack_, offset, length, size_bytes_);
    }
}

// --- writes ---

void Volume::write(std::uint64_t offset, ByteView from, bool durable, Done done) {
    if (paused_) {
        held_.emplace_back([this, offset, from, durable, done = std::move(done)]() mutable {
            write(offset, from, durable, std::move(done));
        });
        return;
    }
    if (!begin(offset, from.size(), true, done)) {
        return;
    }
    count(durable, done);
    auto write = std::make_shared<Write>();
    write->stack = stack_;
    write->range = touched(offset, from.size());
    write->offset = offset;
    write->from = from;
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
        read_stack(scheduler_, w.stack, {w.range.first, 1}, bounce.first(kBlockBytes), join->arm());
    }
    if (tail && w.range.count > 1) {
        read_stack(scheduler_, w.stack, {w.range.end() - 1, 1}, bounce.last(kBlockBytes),
                   join->arm());
    }
    join->ready();
}

void Volume::write_blocks(std::shared_ptr<Write> write) {
    Write& w = *write;
    w.stack->active->write(w.range, w.from,
                           [this, write = std::move(write)](Status status) mutable {
                               locks_.release(write->range);
                               write->done(std::move(status));
                           });
}

// --- zeroes ---

void Volume::zero(std::uint64_t offset, std::uint64_t length, bool durable, Done done) {
    if (paused_) {
        held_.emplace_back([this, offset, length, durable, done = std::move(done)]() mutable {
            zero(offset, length, durable, std::move(done));
        });
        return;
    }
    if (!begin(offset, length, true, done)) {
        return;
    }
    count(durable, done);
    const std::uint64_t end = offset + length;
    const std::uint64_t first = (offset + kBlockBytes - 1) / kBlockBytes;
    const std::uint64_t last = end / kBlockBytes;
    const auto zeros = std::make_shared<Bytes>(kBlockBytes, 0);
    auto join = Join::create(
        [zeros, done = std::move(done)](Status status) mutable { done(std::move(status)); });
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
    locks_.acquire(range, [this, range, stack = stack_, done = std::move(done)]() mutable {
        Zeroing::start(scheduler_, stack, range,
                       [this, range, done = std::move(done)](Status status) mutable {
                           locks_.release(range);
                           done(std::move(status));
                       });
    });
}

// --- flush, stacks, close ---

void Volume::flush(Done done) {
    if (!begin(0, size_bytes_, false, done)) {
        return;
    }
    flush_stack(scheduler_, stack_, [this, done = std::move(done)](Status status) mutable {
        note(status);
        end();
        done(std::move(status));
    });
}

void Volume::pause(io::Callback<> quiet) {
    INVARIANT(!paused_ && !quiet_);
    paused_ = true;
    if (data_in_flight_ == 0) {
        scheduler_.post(std::move(quiet));
        return;
    }
    quiet_ = std::move(quiet);
}

void Volume::resume() {
    INVARIANT(paused_ && !quiet_);
    paused_ = false;
    auto held = std::move(held_);
    held_.clear();
    for (io::Callback<>& operation : held) {
        operation();
    }
}

void Volume::replace_stack(StackRef stack) {
    INVARIANT(stack->active == stack_->active || (paused_ && data_in_flight_ == 0));
    stack_ = std::move(stack);
}

void Volume::grow(std::uint64_t size_bytes) {
    INVARIANT(size_bytes % kBlockBytes == 0 && size_bytes >= size_bytes_ && stack_->active &&
              stack_->active->blocks() * kBlockBytes >= size_bytes);
    size_bytes_ = size_bytes;
}

void Volume::limit(io::Clock& clock, const VolumeLimits& limits) {
    if (throttle_) {
        throttle_->change(limits);
    } else {
        throttle_ = std::make_unique<Throttle>(scheduler_, clock, limits);
    }
}

void Volume::share(HostLimit& host) {
    INVARIANT(!throttle_);
    throttle_ = std::make_unique<Throttle>(scheduler_, host.clock(), VolumeLimits{}, &host);
}

void Volume::read_ahead(const ReadAheadLimits& limits) {
    INVARIANT(!ahead_);
    ahead_ = std::make_unique<ReadAhead>(limits);
}

void Volume::when_drained(io::Callback<> task) {
    INVARIANT(!drained_ && !paused_);
    if (ahead_ && !ahead_->idle()) {
        ++in_flight_;
        ahead_->stop([this] { end(); });
    }
    if (in_flight_ == 0) {
        scheduler_.post(std::move(task));
        return;
    }
    drained_ = std::move(task);
}

void Volume::close(Done done) {
    when_drained([this, done = std::move(done)]() mutable {
        closed_ = true;
        flush_stack(scheduler_, stack_, [this, done = std::move(done)](Status status) mutable {
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
    close_stack(*stack_,
                [status = std::move(status), done = std::move(done)](Status closed) mutable {
                    done(status ? std::move(closed) : std::move(status));
                });
}

}  // namespace kiln::block
