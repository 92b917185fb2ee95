// SPDX-License-Identifier: Apache-2.0
// Sockets: unix stream sockets, and the event descriptors that peers pass over them, by completion;
// a sibling of Io, because a simulated disk has no sockets and a test of the protocol needs no
// disk. Rules for completions are those of Io.
//
// Per socket at most one accept, one receive and one send may be in flight, per event one wait.
// close() ends them: they complete with `cancelled` (or with what they had already got), and the
// descriptor goes after the last of them. No call blocks on what a peer does. Thread model: one
// owner thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "io/callback.h"
#include "util/bytes.h"
#include "util/fs.h"
#include "util/result.h"

namespace kiln::io {

struct SocketId {
    std::int64_t value = -1;
    bool valid() const { return value >= 0; }
    friend bool operator==(SocketId, SocketId) = default;
    friend auto operator<=>(SocketId, SocketId) = default;
};

// sun_path holds 108 bytes with the final zero.
inline constexpr std::size_t kMaxSocketPathBytes = 107;

// What one receive got.
struct Received {
    std::size_t bytes = 0;  // 0: the peer has closed
    std::vector<UniqueFd> descriptors{};
};
// As many as come with one message of the protocols we speak.
inline constexpr std::size_t kMaxDescriptors = 8;

class Sockets {
  public:
    virtual ~Sockets() = default;
    // Listens with mode 0600. A socket file left over at `path` is replaced, anything else there is
    // already_exists. close() of a listener removes its file.
    virtual Result<SocketId> listen_unix(const std::string& path) = 0;
    // Takes over a connected stream socket.
    virtual Result<SocketId> adopt(UniqueFd socket) = 0;
    virtual void accept(SocketId listener, Callback<Result<SocketId>> done) = 0;
    // Completes with at least one byte, or 0 when the peer has closed.
    virtual void receive(SocketId socket, MutableByteView into,
                         Callback<Result<std::size_t>> done) = 0;
    // Completes when all parts were handed to the kernel. The bytes stay until then, the list of
    // parts is copied.
    virtual void send(SocketId socket, std::span<const ByteView> parts, Callback<Status> done) = 0;

    // As receive(), with the descriptors that came beside these bytes. resource_exhausted when they
    // are more than kMaxDescriptors; what did come is closed then.
    virtual void receive_with_descriptors(SocketId socket, MutableByteView into,
                                          Callback<Result<Received>> done) = 0;
    // As send(), with a copy of a descriptor beside the first byte; it stays open until `done`.
    virtual void send_with_descriptor(SocketId socket, std::span<const ByteView> parts,
                                      int descriptor, Callback<Status> done) = 0;

    // Takes over an eventfd, which others may share; invalid_argument when it is something else.
    virtual Result<SocketId> adopt_event(UniqueFd event) = 0;
    // Completes when its counter is not 0, and has set it to 0.
    virtual void wait_event(SocketId event, Callback<Status> done) = 0;
    // Adds 1 to its counter, unless it is full: then whoever waits for it wakes anyway.
    virtual void signal_event(SocketId event) = 0;

    virtual void close(SocketId socket) = 0;
};

}  // namespace kiln::io
