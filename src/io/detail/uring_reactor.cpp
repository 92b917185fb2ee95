// SPDX-License-Identifier: Apache-2.0
#include "io/detail/uring_reactor.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "io/detail/blocking.h"
#include "io/detail/unix_socket.h"

namespace kiln::io {
namespace {

constexpr unsigned kRingEntries = 256;
// The kernel moves at most 2 GiB - 4 KiB per call.
constexpr std::uint64_t kMaxTransfer = 1U << 30;
constexpr std::size_t kMaxParts = 1024;  // IOV_MAX

class UringReactor final : public Loop, public Io, public Sockets {
  public:
    UringReactor(Clock& clock, io_uring ring, UniqueFd wake)
        : Loop(clock), ring_(ring), wake_(std::move(wake)), slow_(*this, 2), removals_(*this, 1) {
        arm_wake();
    }
    ~UringReactor() override;

    Io& io() override { return *this; }
    Sockets& sockets() override { return *this; }
    std::string_view backend_name() const override { return "io_uring"; }

    void submit(Op op, IoDone done) override;

    Result<SocketId> listen_unix(const std::string& path) override;
    Result<SocketId> adopt(UniqueFd socket) override;
    void accept(SocketId listener, Callback<Result<SocketId>> done) override;
    void receive(SocketId socket, MutableByteView into,
                 Callback<Result<std::size_t>> done) override;
    void send(SocketId socket, std::span<const ByteView> parts, Callback<Status> done) override;
    void close(SocketId socket) override;

  protected:
    void wait(std::chrono::nanoseconds timeout) override;
    void wake() override;

  private:
    using AcceptDone = Callback<Result<SocketId>>;
    using ReceiveDone =
        Callback<Result<std::size_t>>;  // the same type as IoDone where both counts are 64 bits
    using SendDone = Callback<Status>;
    enum class Kind { file, accept, receive, send };

    struct Socket {
        UniqueFd fd;
        std::string path;  // of a listener
        int in_flight = 0;
        bool closing = false;
    };
    // One submission on its way; its address is the ring's user_data.
    struct Pending {
        Kind kind = Kind::file;
        std::variant<std::monostate, IoDone, AcceptDone, SendDone> done;
        Op op{.kind = OpKind::read};
        std::uint64_t moved = 0;
        SocketId socket{};
        MutableByteView into{};
        std::vector<iovec> parts{};
        msghdr message{};
    };

    Pending* take_pending(Kind kind);
    void recycle(Pending* pending);
    io_uring_sqe* next_sqe(Pending* pending);
    void arm_wake();
    void prepare_file(Pending* pending);
    void prepare_send(Pending* pending);
    void complete(Pending* pending, int result);
    void complete_file(Pending* pending, int result);
    void complete_accept(Pending* pending, int result);
    void complete_receive(Pending* pending, int result);
    void complete_send(Pending* pending, int result);
    bool advance_send(Pending& pending, std::size_t sent);  // true when all is sent
    SocketId add(UniqueFd fd, std::string path);
    Pending* begin(SocketId id, Kind kind);  // a Pending of this socket
    bool release(SocketId id);  // one operation fewer; false when the socket is closing

    io_uring ring_;
    UniqueFd wake_;
    std::uint64_t wake_count_ = 0;
    std::size_t in_flight_ = 0;  // without the wake read
    bool dropping_ = false;
    std::vector<std::unique_ptr<Pending>> owned_;
    std::vector<Pending*> free_;
    std::unordered_map<std::int64_t, std::unique_ptr<Socket>> sockets_;
    // Last: their threads post to the loop. To remove a file in many pieces takes seconds, and more
    // where the file system discards them: nothing else waits for that.
    BlockingPool slow_;
    BlockingPool removals_;
};

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
        if (!socket->path.empty()) {
            ::unlink(socket->path.c_str());
        }
    }
    while (in_flight_ > 0) {
        wait(std::chrono::seconds(1));
    }
    io_uring_queue_exit(&ring_);
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
    pending->socket = SocketId{};
    pending->parts.clear();
    free_.push_back(pending);
}

io_uring_sqe* UringReactor::next_sqe(Pending* pending) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {  // the queue is full: hand it over
        io_uring_submit(&ring_);
        sqe = io_uring_get_sqe(&ring_);
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

void UringReactor::wait(std::chrono::nanoseconds timeout) {
    io_uring_cqe* cqe = nullptr;
    if (timeout.count() == 0) {
        io_uring_submit_and_get_events(&ring_);
    } else {
        __kernel_timespec limit{};
        limit.tv_sec = timeout.count() / 1'000'000'000;
        limit.tv_nsec = timeout.count() % 1'000'000'000;
        io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &limit, nullptr);
    }
    while (io_uring_peek_cqe(&ring_, &cqe) == 0 && cqe != nullptr) {
        auto* pending = static_cast<Pending*>(io_uring_cqe_get_data(cqe));
        const int result = cqe->res;
        io_uring_cqe_seen(&ring_, cqe);
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
        case Kind::send:
            complete_send(pending, result);
            break;
    }
}

void UringReactor::complete_receive(Pending* pending, int result) {
    --in_flight_;
    const bool open = release(pending->socket);
    auto done = std::move(std::get<ReceiveDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    if (result < 0) {
        done(socket_error(-result, "receive"));
    } else if (!open && result == 0) {
        done(Error(Code::cancelled, "receive: the socket was closed"));
    } else {
        done(static_cast<std::size_t>(result));
    }
}

void UringReactor::complete_file(Pending* pending, int result) {
    const Op& op = pending->op;
    const bool transfer = op.kind == OpKind::read || op.kind == OpKind::write;
    const bool retry = result == -EINTR || result == -EAGAIN;
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

SocketId UringReactor::add(UniqueFd fd, std::string path) {
    const int number = fd.get();
    auto socket = std::make_unique<Socket>();
    socket->fd = std::move(fd);
    socket->path = std::move(path);
    sockets_.emplace(number, std::move(socket));
    return SocketId{number};
}

Result<SocketId> UringReactor::listen_unix(const std::string& path) {
    TRY_ASSIGN(UniqueFd fd, bind_unix_listener(path, false));
    return add(std::move(fd), path);
}

Result<SocketId> UringReactor::adopt(UniqueFd socket) {
    return add(std::move(socket), {});
}

UringReactor::Pending* UringReactor::begin(SocketId id, Kind kind) {
    const auto found = sockets_.find(id.value);
    INVARIANT(found != sockets_.end() && !found->second->closing);
    ++found->second->in_flight;
    ++in_flight_;
    Pending* pending = take_pending(kind);
    pending->socket = id;
    return pending;
}

bool UringReactor::release(SocketId id) {
    const auto found = sockets_.find(id.value);
    INVARIANT(found != sockets_.end());
    Socket& socket = *found->second;
    --socket.in_flight;
    if (socket.closing && socket.in_flight == 0 && !dropping_) {
        sockets_.erase(found);
        return false;
    }
    return !socket.closing;
}

void UringReactor::accept(SocketId listener, AcceptDone done) {
    Pending* pending = begin(listener, Kind::accept);
    pending->done = std::move(done);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_accept(sqe, static_cast<int>(listener.value), nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_accept(Pending* pending, int result) {
    --in_flight_;
    UniqueFd accepted(result >= 0 ? result : -1);
    const bool open = release(pending->socket);
    auto done = std::move(std::get<AcceptDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    if (!open) {
        done(Error(Code::cancelled, "accept: the socket was closed"));
    } else if (accepted) {
        done(add(std::move(accepted), {}));
    } else {
        done(socket_error(-result, "accept"));
    }
}

void UringReactor::receive(SocketId id, MutableByteView into, ReceiveDone done) {
    INVARIANT(!into.empty());
    Pending* pending = begin(id, Kind::receive);
    pending->done = std::move(done);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_recv(sqe, static_cast<int>(id.value), into.data(), into.size(), 0);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::send(SocketId id, std::span<const ByteView> parts, SendDone done) {
    Pending* pending = begin(id, Kind::send);
    pending->done = std::move(done);
    for (const ByteView part : parts) {
        if (!part.empty()) {
            pending->parts.push_back(iovec{const_cast<std::uint8_t*>(part.data()), part.size()});
        }
    }
    INVARIANT(!pending->parts.empty());
    prepare_send(pending);
}

void UringReactor::prepare_send(Pending* pending) {
    // `moved` counts the parts already sent whole.
    pending->message = msghdr{};
    pending->message.msg_iov = pending->parts.data() + pending->moved;
    pending->message.msg_iovlen = std::min(pending->parts.size() - pending->moved, kMaxParts);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_sendmsg(sqe, static_cast<int>(pending->socket.value), &pending->message,
                          MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, pending);
}

bool UringReactor::advance_send(Pending& pending, std::size_t sent) {
    while (pending.moved < pending.parts.size() && sent >= pending.parts[pending.moved].iov_len) {
        sent -= pending.parts[pending.moved++].iov_len;
    }
    if (sent > 0) {
        iovec& part = pending.parts[pending.moved];
        part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + sent;
        part.iov_len -= sent;
    }
    return pending.moved == pending.parts.size();
}

void UringReactor::complete_send(Pending* pending, int result) {
    const bool retry = result == -EINTR || result == -EAGAIN;
    if (!dropping_ &&
        (retry || (result > 0 && !advance_send(*pending, static_cast<std::size_t>(result))))) {
        prepare_send(pending);
        return;
    }
    --in_flight_;
    release(pending->socket);
    auto done = std::move(std::get<SendDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    done(result < 0 ? Status(socket_error(-result, "send")) : ok());
}

void UringReactor::close(SocketId id) {
    const auto found = sockets_.find(id.value);
    if (found == sockets_.end() || found->second->closing) {
        return;
    }
    Socket& socket = *found->second;
    socket.closing = true;
    if (!socket.path.empty()) {
        ::unlink(socket.path.c_str());
    }
    if (socket.in_flight == 0) {
        sockets_.erase(found);
        return;
    }
    // What is still only queued must reach the kernel first: it would otherwise name a closed
    // descriptor.
    io_uring_submit(&ring_);
    ::shutdown(socket.fd.get(), SHUT_RDWR);  // ends an accept, a receive and a send alike
}

}  // namespace

Result<std::unique_ptr<Reactor>> create_uring_reactor(Clock& clock) {
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
    if (!wake) {
        return Error::from_errno(errno, "create event loop");
    }
    io_uring ring{};
    // Completions are picked up when the loop enters the kernel, instead of by interrupting it;
    // needs Linux 5.19.
    int result = io_uring_queue_init(kRingEntries, &ring,
                                     IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    if (result == -EINVAL) {
        result = io_uring_queue_init(kRingEntries, &ring, 0);
    }
    if (result != 0) {
        return Error(Code::unsupported,
                     std::string("the kernel refuses io_uring: ") + std::strerror(-result));
    }
    // Without these two a completion may be lost, or a wait cannot time out.
    if ((ring.features & IORING_FEAT_NODROP) == 0 || (ring.features & IORING_FEAT_EXT_ARG) == 0) {
        io_uring_queue_exit(&ring);
        return Error(Code::unsupported, "io_uring of this kernel is too old");
    }
    return std::unique_ptr<Reactor>(new UringReactor(clock, ring, std::move(wake)));
}

}  // namespace kiln::io
