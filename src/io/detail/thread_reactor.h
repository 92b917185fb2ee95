// SPDX-License-Identifier: Apache-2.0
// The backend without io_uring: disk operations on a pool of threads, sockets by edge-triggered
// epoll on the owner thread. Thread model: as Reactor.
#pragma once

#include <unordered_map>

#include "io/detail/blocking.h"
#include "io/detail/loop.h"

namespace kiln::io {

class ThreadReactor final : public Loop, public Io, public Sockets {
  public:
    static Result<std::unique_ptr<Reactor>> create(Clock& clock);
    ThreadReactor(Clock& clock, UniqueFd epoll, UniqueFd wake);
    ~ThreadReactor() override;

    Io& io() override { return *this; }
    Sockets& sockets() override { return *this; }
    std::string_view backend_name() const override { return "threads"; }

    void submit(Op op, IoDone done) override { pool_.submit(std::move(op), std::move(done)); }

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
    struct Socket {
        UniqueFd fd;
        std::string path;  // of a listener
        Callback<Result<SocketId>> accept_done;
        Callback<Result<std::size_t>> receive_done;
        Callback<Result<Received>> received_done;
        MutableByteView receive_into;
        Callback<Status> send_done;
        std::vector<ByteView> send_parts;
        std::size_t send_at = 0;
        int send_descriptor = -1;  // until the first byte is sent
        Callback<Status> event_done;
    };

    Result<SocketId> add(UniqueFd fd, std::string path);
    Socket& get(SocketId id);
    // Each tries once and completes (through post) unless the socket has to be waited for.
    void try_accept(Socket& socket);
    void try_receive(Socket& socket);
    void try_receive_with_descriptors(Socket& socket);
    void try_event(Socket& socket);
    void try_send(Socket& socket);

    UniqueFd epoll_;
    UniqueFd wake_;
    std::unordered_map<std::int64_t, std::unique_ptr<Socket>> sockets_;
    BlockingPool pool_;  // last: its threads post to the loop
};

}  // namespace kiln::io
