// SPDX-License-Identifier: Apache-2.0
// UringReactor: the backend with io_uring. Disk operations and what is waited for on sockets are
// submissions of one ring; what the ring has no form for goes to helper threads. Thread model: as
// Reactor.
#pragma once

#include <sys/uio.h>

#include <memory>
#include <unordered_map>
#include <variant>
#include <vector>

#include "io/detail/blocking.h"
#include "io/detail/descriptors.h"
#include "io/detail/loop.h"
#include "io/detail/poll_window.h"

struct io_uring;
struct io_uring_sqe;

namespace kiln::io {

class UringReactor final : public Loop, public Io, public Sockets {
  public:
    UringReactor(Clock& clock, std::unique_ptr<io_uring> ring, UniqueFd wake);
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
    void send(SocketId socket, std::span<const ByteView> parts, Callback<Status> done) override {
        send_with_descriptor(socket, parts, -1, std::move(done));
    }
    void receive_with_descriptors(SocketId socket, MutableByteView into,
                                  Callback<Result<Received>> done) override;
    void send_with_descriptor(SocketId socket, std::span<const ByteView> parts, int descriptor,
                              Callback<Status> done) override;
    Result<SocketId> adopt_event(UniqueFd event) override;
    void wait_event(SocketId event, Callback<Status> done) override;
    void signal_event(SocketId event) override;
    void close(SocketId socket) override;

  protected:
    void wait(std::chrono::nanoseconds timeout) override;
    void wake() override;

  private:
    using AcceptDone = Callback<Result<SocketId>>;
    using ReceiveDone =
        Callback<Result<std::size_t>>;  // the same type as IoDone where both counts are 64 bits
    using ReceivedDone = Callback<Result<Received>>;
    using SendDone = Callback<Status>;  // also of a wait for an event
    enum class Kind { file, accept, receive, received, send, event, signal, cancel };
    struct Pending;

    struct Socket {
        UniqueFd fd;
        std::string path;  // of a listener
        int in_flight = 0;
        bool closing = false;
        // Of an event. shutdown() does not end these, so close() cancels them.
        Pending* event = nullptr;
        Pending* signal = nullptr;
        bool signal_again = false;
    };
    // One submission on its way; its address is the ring's user_data.
    struct Pending {
        Kind kind = Kind::file;
        std::variant<std::monostate, IoDone, AcceptDone, ReceivedDone, SendDone> done;
        Op op{.kind = OpKind::read};
        std::uint64_t moved = 0;
        unsigned refused = 0;  // for want of space (kFullAttempts)
        SocketId socket{};
        MutableByteView into{};
        std::vector<iovec> parts{};
        msghdr message{};
        int descriptor = -1;  // to send, until the first byte is sent
        DescriptorSpace space{};
        std::uint64_t count = 1;  // what a signal writes
    };

    bool event_ready() const;
    void look(std::chrono::steady_clock::time_point until);
    void sleep(std::chrono::nanoseconds timeout);
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
    void complete_received(Pending* pending, int result);
    void complete_send(Pending* pending, int result);
    void arm_event(Pending* pending);
    void complete_event(Pending* pending, int result);
    void write_signal(Pending* pending);
    void complete_signal(Pending* pending);
    void cancel_events(Socket& socket);
    bool advance_send(Pending& pending, std::size_t sent);  // true when all is sent
    SocketId add(UniqueFd fd, std::string path);
    Pending* begin(SocketId id, Kind kind);  // a Pending of this socket
    bool release(SocketId id);  // one operation fewer; false when the socket is closing

    const std::unique_ptr<io_uring> ring_;  // a pointer, for its header is heavy
    UniqueFd wake_;
    std::uint64_t wake_count_ = 0;
    std::size_t in_flight_ = 0;  // without the wake read
    std::size_t reads_ = 0;      // of these, reads of files
    PollWindow poll_;
    bool dropping_ = false;
    std::vector<std::unique_ptr<Pending>> owned_;
    std::vector<Pending*> free_;
    std::unordered_map<std::int64_t, std::unique_ptr<Socket>> sockets_;
    // Last: their threads post to the loop. To remove a file in many pieces takes seconds, and more
    // where the file system discards them: nothing else waits for that.
    BlockingPool slow_;
    BlockingPool removals_;
};

}  // namespace kiln::io
