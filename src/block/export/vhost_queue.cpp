// SPDX-License-Identifier: Apache-2.0
#include "block/export/vhost_queue.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/geometry.h"
#include "block/limits.h"
#include "util/log.h"

namespace kiln::block::vhost {
namespace {

// One piece that a disk can take as it lies.
bool needs_no_copy(const BlkRequest& request) {
    return request.data.size() == 1 && io::is_aligned(request.data[0].data()) &&
           request.offset % kBlockBytes == 0 && request.data_bytes % kBlockBytes == 0;
}

}  // namespace

bool Device::busy() const {
    return in_flight >= kMaxRequestsInFlight || bytes_in_flight >= kMaxPayloadInFlight;
}

// --- start and stop ---

Status Queue::start(std::shared_ptr<const GuestMemory> memory,
                    const std::shared_ptr<const InflightArea>& area) {
    INVARIANT(!ring_ && address);
    if (area && (index_ >= area->queues() || size > area->queue_size())) {
        return Error(Code::invalid_argument, "the area for requests in flight lacks this queue");
    }
    TRY_ASSIGN(auto ring, ring_in(std::move(memory)));
    used_ = told_ = ring.used();
    next_ = base;
    resubmit_.clear();
    area_ = area;
    if (area) {
        marks_.emplace(area->queue(index_));
        const auto recovered = marks_->recover(ring);
        resubmit_.assign(recovered.heads.begin(), recovered.heads.end());
        if (recovered.used_before) {
            next_ = static_cast<std::uint16_t>(used_ + resubmit_.size());
        }
    }
    ring_ = std::move(ring);
    taken_.assign(size, false);
    broken_ = false;
    told_of_full_store_ = false;
    // Whoever served it before may have been killed between an answer and the word of it.
    tell_anyway_ = true;
    note_call();
    return ok();
}

Result<SplitRing> Queue::ring_in(std::shared_ptr<const GuestMemory> memory) const {
    return SplitRing::map(std::move(memory), *address, size,
                          (device_.features & kFeatureEventIndex) != 0);
}

void Queue::stop(io::Callback<std::uint16_t> stopped) {
    INVARIANT(!stopped_);
    stopped_ = std::move(stopped);
    let_go_of_held();
    maybe_stopped();
}

void Queue::maybe_stopped() {
    if (!stopped_ || in_flight_ > 0) {
        return;
    }
    flush_call();
    base = ring_ ? next_ : base;
    ring_.reset();
    marks_.reset();
    area_.reset();
    device_.scheduler.post([self = device_.self(), stopped = std::move(stopped_),
                            at = base]() mutable { stopped(at); });
}

void Queue::close_events() {
    for (io::SocketId* event : {&kick, &call, &error}) {
        if (event->valid()) {
            device_.sockets.close(std::exchange(*event, {}));
        }
    }
}

void Queue::break_off(const Error& why) {
    broken_ = true;
    // Once: a guest can reset and break it as often as it likes.
    if (!std::exchange(complained_, true)) {
        log_warn("block", "vhost-user disk of " + device_.volume.id().str() + ", queue " +
                              std::to_string(index_) + ": " + why.message());
    }
    if (error.valid()) {
        device_.sockets.signal_event(error);
    }
}

// --- from the ring ---

bool Queue::takes() const {
    return ring_ && enabled && !broken_ && !stopped_ && !device_.stopping;
}

std::optional<std::uint16_t> Queue::next_head() {
    if (!resubmit_.empty()) {
        const std::uint16_t head = resubmit_.front();
        resubmit_.pop_front();
        return head;
    }
    const auto waiting = static_cast<std::uint16_t>(ring_->available() - next_);
    if (waiting == 0) {
        return std::nullopt;
    }
    const auto head = ring_->head_at(next_);
    if (waiting > size || !head) {
        break_off(head ? Error(Code::data_loss, "broken ring: more entries than it has room for")
                       : head.error());
        return std::nullopt;
    }
    if (taken_[*head]) {
        break_off(Error(Code::data_loss, "broken ring: a descriptor is available twice"));
        return std::nullopt;
    }
    if (marks_) {
        marks_->begin(*head);
    }
    ++next_;
    return *head;
}

void Queue::run() {
    // No more than the ring holds in one turn: a guest that fills it as fast as it is emptied must
    // not keep others waiting.
    for (std::uint32_t turn = 0; takes(); ++turn) {
        if (device_.busy()) {
            device_.starved = true;
            return;
        }
        if (turn >= size) {
            if (!std::exchange(run_posted_, true)) {
                device_.scheduler.post([this, self = device_.self()] {
                    run_posted_ = false;
                    run();
                });
            }
            return;
        }
        const auto head = next_head();
        if (head ? !begin(*head) : broken_) {
            return;
        }
        if (!head) {
            ring_->want_kick_at(next_);
            if (ring_->available() == next_) {
                return;
            }
        }
    }
}

bool Queue::begin(std::uint16_t head) {
    device_.facts.size_bytes = device_.volume.size_bytes();
    const auto chain = ring_->chain(head);
    auto request = chain ? parse_request(*chain, device_.facts) : Result<BlkRequest>(chain.error());
    if (!request) {
        break_off(request.error());
        return false;
    }
    taken_[head] = true;
    ++in_flight_;
    ++device_.in_flight;
    auto work = std::make_shared<Work>();
    work->head = head;
    work->request = *std::move(request);
    work->memory = ring_->memory();
    admit(std::move(work));
    return true;
}

// At once, or when the volume's limits let it.
void Queue::admit(WorkRef work) {
    Throttle* throttle = device_.volume.throttle();
    const BlkCommand command = work->request.command;
    const bool moves = command == BlkCommand::read || command == BlkCommand::write;
    const bool zeroes = command == BlkCommand::discard || command == BlkCommand::write_zeroes;
    if (throttle == nullptr || work->request.refusal != BlkStatus::ok || (!moves && !zeroes)) {
        dispatch(std::move(work));
        return;
    }
    const std::uint64_t bytes = moves ? work->request.data_bytes : 0;
    throttle->admit(this, bytes, [this, self = device_.self(), work = std::move(work)]() mutable {
        if (device_.gone) {
            forget(*work);
        } else {
            dispatch(std::move(work));
        }
    });
}

// --- to the volume ---

void Queue::dispatch(WorkRef work) {
    if (work->request.refusal != BlkStatus::ok) {
        const BlkStatus refusal = work->request.refusal;
        answer(work, refusal);
        return;
    }
    switch (work->request.command) {
        case BlkCommand::read:
        case BlkCommand::write:
            return transfer(std::move(work));
        case BlkCommand::flush:
            return device_.volume.flush(done_of(std::move(work)));
        case BlkCommand::get_id:
            name_disk(*work);
            return answer(work, BlkStatus::ok);
        case BlkCommand::discard:
        case BlkCommand::write_zeroes:
            return zero(std::move(work));
    }
    INVARIANT_MSG(false, "parse_request let a command through that has no work");
}

void Queue::transfer(WorkRef work) {
    Work& w = *work;
    const bool write = w.request.command == BlkCommand::write;
    MutableByteView bytes;
    if (needs_no_copy(w.request)) {
        bytes = w.request.data[0];
    } else {
        if (w.buffer.empty()) {
            w.buffer = device_.buffers.take(w.request.data_bytes);
            w.counted = w.request.data_bytes;
            device_.bytes_in_flight += w.counted;
            if (write) {
                copy_out(w.request.data, w.buffer.mutable_view());
            }
        }
        bytes = w.buffer.mutable_view();
    }
    if (write) {
        // A guest that does not flush is promised what it wrote.
        const bool durable = (device_.features & kBlkFlush) == 0;
        device_.volume.write(w.request.offset, bytes, durable, done_of(std::move(work)));
    } else {
        device_.volume.read(w.request.offset, bytes, done_of(std::move(work)));
    }
}

void Queue::zero(WorkRef work) {
    const bool durable = (device_.features & kBlkFlush) == 0;
    const std::vector<ByteRange>& ranges = work->request.ranges;
    auto join = Join::create(done_of(work));
    for (const ByteRange& range : ranges) {
        device_.volume.zero(range.offset, range.bytes, durable, join->arm());
    }
    // Never inside this call, as from the volume.
    device_.scheduler.post([join] { join->ready(); });
}

void Queue::name_disk(Work& work) {
    Bytes name(kDiskNameBytes, 0);
    std::copy_n(device_.facts.name.begin(), std::min(device_.facts.name.size(), name.size()),
                name.begin());
    work.request.data_bytes = copy_in(work.request.data, name);
}

Done Queue::done_of(WorkRef work) {
    return [this, self = device_.self(), work = std::move(work)](const Status& status) {
        completed(work, status);
    };
}

// --- back to the guest ---

void Queue::completed(const WorkRef& work, const Status& status) {
    if (device_.gone) {
        forget(*work);
        return;
    }
    if (status) {
        if (work->request.command == BlkCommand::read && !work->buffer.empty()) {
            copy_in(work->request.data, work->buffer.view());
        }
        answer(work, BlkStatus::ok);
        return;
    }
    if (status.error().code() == Code::out_of_space) {
        hold(work);
        return;
    }
    answer(work, BlkStatus::io_error);
}

void Queue::hold(const WorkRef& work) {
    if (!std::exchange(told_of_full_store_, true)) {
        log_warn("block",
                 "writes to " + device_.volume.id().str() + " wait, because the store is full");
    }
    held_.push_back(work);
    if (stopped_ || device_.stopping) {
        let_go_of_held();
        maybe_stopped();
        return;
    }
    device_.request_held();
}

void Queue::retry_held() {
    const std::vector<WorkRef> again = std::exchange(held_, {});
    for (const WorkRef& work : again) {
        dispatch(work);
    }
}

void Queue::let_go_of_held() {
    if (Throttle* throttle = device_.volume.throttle()) {
        throttle->release(this);
    }
    const std::vector<WorkRef> held = std::exchange(held_, {});
    for (const WorkRef& work : held) {
        if (marks_ || device_.gone) {
            forget(*work);
        } else {
            answer(work, BlkStatus::io_error);
        }
    }
}

void Queue::answer(const WorkRef& work, BlkStatus status) {
    Work& w = *work;
    const bool filled = status == BlkStatus::ok && (w.request.command == BlkCommand::read ||
                                                    w.request.command == BlkCommand::get_id);
    store_shared(w.request.status, static_cast<std::uint8_t>(status));
    const auto written =
        1 + (filled ? static_cast<std::uint32_t>(w.request.data_bytes) : std::uint32_t{0});
    // In an order that leaves the marks right wherever we are killed.
    ring_->put_used(used_, w.head, written);
    if (marks_) {
        marks_->prepare_end(w.head);
    }
    ring_->set_used(++used_);
    if (marks_) {
        marks_->end(w.head, used_);
    }
    if (status == BlkStatus::ok) {
        told_of_full_store_ = told_of_full_store_ && !held_.empty();
    }
    note_call();
    forget(w);
}

void Queue::forget(Work& work) {
    device_.bytes_in_flight -= std::exchange(work.counted, 0);
    device_.buffers.give(std::move(work.buffer));
    work.buffer = {};
    taken_[work.head] = false;
    --in_flight_;
    --device_.in_flight;
    maybe_stopped();
    device_.request_ended();
}

// The other answers of this round go with the same notification.
void Queue::note_call() {
    if (!std::exchange(call_posted_, true)) {
        device_.scheduler.post([this, self = device_.self()] {
            call_posted_ = false;
            flush_call();
        });
    }
}

void Queue::flush_call() {
    if (!ring_ || !call.valid() || device_.gone) {
        return;
    }
    const bool tell = used_ != told_ && ring_->wants_call(told_, used_);
    told_ = used_;
    if (std::exchange(tell_anyway_, false) || tell) {
        device_.sockets.signal_event(call);
    }
}

}  // namespace kiln::block::vhost
