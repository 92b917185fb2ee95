// SPDX-License-Identifier: Apache-2.0
#include "io/detail/uring_reactor.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/detail/uring_loop.h"

namespace kiln::io {
namespace {

constexpr unsigned kRingEntries = 256;
// The kernel moves at most 2 GiB - 4 KiB per call.
constexpr std::uint64_t kMaxTransfer = 1U << 30;

// Tells the processor that this thread only looks.
void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace

UringReactor::UringReactor(Clock& clock, std::unique_ptr<io_uring> ring, UniqueFd wake)
    : Loop(clock),
      ring_(std::move(ring)),
      wake_(std::move(wake)),
      slow_(*this, 2),
      removals_(*this, 1) {
    arm_wake();
}

UringReactor::~UringReactor() {
    slow_.stop();
    removals_.stop();
    drop_tasks();
    dropping_ = true;
    // The kernel writes into memory of operations in flight: it must be done before anything is
    // freed.
    for (auto& [id, socket] : sockets_) {
        socket->closing = true;
        ::shutdown(socket->fd.get(), SHUT_RDWR);
        cancel_events(*socket);
        if (!socket->path.empty()) {
            ::unlink(socket->path.c_str());
        }
    }
    while (in_flight_ > 0) {
        wait(std::chrono::seconds(1));
    }
    io_uring_queue_exit(ring_.get());
    drop_tasks();
}

UringReactor::Pending* UringReactor::take_pending(Kind kind) {
    if (free_.empty()) {
        owned_.push_back(std::make_unique<Pending>());
        free_.push_back(owned_.back().get());
    }
    Pending* pending = free_.back();
    free_.pop_back();
    pending->kind = kind;
    return pending;
}

void UringReactor::recycle(Pending* pending) {
    pending->done = std::monostate{};
    pending->moved = 0;
    pending->refused = 0;
    pending->socket = SocketId{};
    pending->parts.clear();
    pending->descriptor = -1;
    free_.push_back(pending);
}

io_uring_sqe* UringReactor::next_sqe(Pending* pending) {
    io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
    while (sqe == nullptr) {  // the queue is full: hand it over
        io_uring_submit(ring_.get());
        sqe = io_uring_get_sqe(ring_.get());
    }
    // The prep functions of liburing clear the rest but leave user_data alone in 2.3; newer ones do
    // not, so callers set it afterwards as well.
    io_uring_sqe_set_data(sqe, pending);
    return sqe;
}

void UringReactor::arm_wake() {
    io_uring_sqe* sqe = next_sqe(nullptr);
    io_uring_prep_read(sqe, wake_.get(), &wake_count_, sizeof wake_count_, 0);
    io_uring_sqe_set_data(sqe, nullptr);
}

void UringReactor::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

// Something that the kernel has finished, or would finish as soon as it is entered.
bool UringReactor::event_ready() const {
    return io_uring_cq_ready(ring_.get()) > 0 ||
           (__atomic_load_n(ring_->sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0;
}

// Until an event is there or the time has come.
void UringReactor::look(std::chrono::steady_clock::time_point until) {
    auto last = std::chrono::steady_clock::now();
    while (!event_ready()) {
        const auto now = std::chrono::steady_clock::now();
        poll_.looks_apart(now - last);
        last = now;
        if (now > until) {
            return;
        }
        relax();
    }
}

void UringReactor::sleep(std::chrono::nanoseconds timeout) {
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t reads = reads_;
    if (const auto window = std::min(poll_.length(reads), timeout); window.count() > 0) {
        io_uring_submit(ring_.get());
        look(begin + window);  // to submit was a part of it
    }
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec limit{};
    limit.tv_sec = timeout.count() / 1'000'000'000;
    limit.tv_nsec = timeout.count() % 1'000'000'000;
    if (event_ready()) {
        io_uring_submit_and_get_events(ring_.get());
    } else {
        io_uring_submit_and_wait_timeout(ring_.get(), &cqe, 1, &limit, nullptr);
    }
    poll_.event_after(std::chrono::steady_clock::now() - begin, reads);
}

void UringReactor::wait(std::chrono::nanoseconds timeout) {
    io_uring_cqe* cqe = nullptr;
    if (timeout.count() == 0) {
        io_uring_submit_and_get_events(ring_.get());
    } else {
        sleep(timeout);
    }
    while (io_uring_peek_cqe(ring_.get(), &cqe) == 0 && cqe != nullptr) {
        auto* pending = static_cast<Pending*>(io_uring_cqe_get_data(cqe));
        const int result = cqe->res;
        io_uring_cqe_seen(ring_.get(), cqe);
        if (pending == nullptr) {
            arm_wake();
        } else {
            complete(pending, result);
        }
    }
}

void UringReactor::submit(Op op, IoDone done) {
    switch (op.kind) {
        case OpKind::read:
        case OpKind::write:
        case OpKind::sync_data:
        case OpKind::sync:
        case OpKind::punch:
        case OpKind::allocate: {
            Pending* pending = take_pending(Kind::file);
            reads_ += op.kind == OpKind::read ? 1 : 0;
            pending->op = std::move(op);
            pending->done = std::move(done);
            ++in_flight_;
            prepare_file(pending);
            return;
        }
        case OpKind::open:
        case OpKind::close:
        case OpKind::truncate:
        case OpKind::size:
        case OpKind::rename:
        case OpKind::sync_dir:
        case OpKind::list:
            slow_.submit(std::move(op), std::move(done));
            return;
        case OpKind::unlink:
            removals_.submit(std::move(op), std::move(done));
            return;
    }
}

void UringReactor::prepare_file(Pending* pending) {
    io_uring_sqe* sqe = next_sqe(pending);
    const Op& op = pending->op;
    const int fd = static_cast<int>(op.file.value);
    const std::uint64_t offset = op.offset + pending->moved;
    const auto length = static_cast<unsigned>(std::min(op.length - pending->moved, kMaxTransfer));
    switch (op.kind) {
        case OpKind::read:
            io_uring_prep_read(sqe, fd, op.data + pending->moved, length, offset);
            break;
        case OpKind::write:
            io_uring_prep_write(sqe, fd, op.data + pending->moved, length, offset);
            break;
        case OpKind::sync_data:
            io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
            break;
        case OpKind::sync:
            io_uring_prep_fsync(sqe, fd, 0);
            break;
        case OpKind::punch:
            io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>(op.offset), static_cast<off_t>(op.length));
            break;
        case OpKind::allocate:
            io_uring_prep_fallocate(sqe, fd, 0, static_cast<off_t>(op.offset),
                                    static_cast<off_t>(op.length));
            break;
        case OpKind::open:
        case OpKind::close:
        case OpKind::truncate:
        case OpKind::size:
        case OpKind::unlink:
        case OpKind::rename:
        case OpKind::sync_dir:
        case OpKind::list:
            INVARIANT_MSG(false, "not an operation of the ring");
    }
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete(Pending* pending, int result) {
    switch (pending->kind) {
        case Kind::file:
            complete_file(pending, result);
            break;
        case Kind::accept:
            complete_accept(pending, result);
            break;
        case Kind::receive:
            complete_receive(pending, result);
            break;
        case Kind::received:
            complete_received(pending, result);
            break;
        case Kind::send:
            complete_send(pending, result);
            break;
        case Kind::event:
            complete_event(pending, result);
            break;
        case Kind::signal:
            complete_signal(pending);
            break;
        case Kind::cancel:
            --in_flight_;
            recycle(pending);
            break;
    }
}

void UringReactor::complete_file(Pending* pending, int result) {
    const Op& op = pending->op;
    const bool transfer = op.kind == OpKind::read || op.kind == OpKind::write;
    const bool full = op.kind == OpKind::write && result == -ENOSPC;
    const bool retry =
        result == -EINTR || result == -EAGAIN || (full && ++pending->refused < kFullAttempts);
    if (!dropping_ && retry) {
        prepare_file(pending);
        return;
    }
    if (transfer && result > 0) {
        pending->moved += static_cast<std::uint64_t>(result);
        if (!dropping_ && pending->moved < op.length) {
            prepare_file(pending);  // a short transfer: go on; the end of the file answers 0
            return;
        }
    }
    --in_flight_;
    reads_ -= op.kind == OpKind::read ? 1 : 0;
    Result<std::uint64_t> outcome = pending->moved;
    if (result < 0) {
        outcome = op_error(op, -result);
    } else if (op.kind == OpKind::write && pending->moved < op.length) {
        outcome = op_error(op, EIO);
    }
    auto done = std::move(std::get<IoDone>(pending->done));
    recycle(pending);
    if (!dropping_) {
        done(std::move(outcome));
    }
}

Result<std::unique_ptr<Reactor>> create_uring_reactor(Clock& clock) {
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake) {
        return Error::from_errno(errno, "create event loop");
    }
    auto ring = std::make_unique<io_uring>();
    // Completions are picked up when the loop enters the kernel, instead of by interrupting it;
    // needs Linux 5.19.
    int result = io_uring_queue_init(kRingEntries, ring.get(),
                                     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    if (result == -EINVAL) {
        result = io_uring_queue_init(kRingEntries, ring.get(), 0);
    }
    if (result != 0) {
        return Error(Code::unsupported,
                     std::string("the kernel refuses io_uring: ") + std::strerror(-result));
    }
    // Without these two a completion may be lost, or a wait cannot time out.
    if ((ring->features & IORING_FEAT_NODROP) == 0 || (ring->features & IORING_FEAT_EXT_ARG) == 0) {
        io_uring_queue_exit(ring.get());
        return Error(Code::unsupported, "io_uring of this kernel is too old");
    }
    return std::unique_ptr<Reactor>(new UringReactor(clock, std::move(ring), std::move(wake)));
}

}  // namespace kiln::io
