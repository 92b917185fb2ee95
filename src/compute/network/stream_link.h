// SPDX-License-Identifier: Apache-2.0
// StreamLink: frames over the unix socket on which the machine's NIC listens, each after its length
// in four bytes, big endian (QEMU's `-netdev stream`). It connects again by itself whenever the
// machine is away. While it is, and when the machine does not read, frames to it are dropped, as on
// a cable; congested() says so before that happens.
//
// A length beyond what QEMU can send means that the stream is out of step: the connection is made
// anew. Thread model: one owner thread, which polls fd() for events().
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "compute/network/address.h"
#include "util/fs.h"

namespace kiln::compute {

// Cuts a byte stream into frames.
class FrameDecoder {
  public:
    static constexpr std::size_t kMaxLength = 69632;  // QEMU's NET_BUFSIZE

    // Where the next bytes may be put; commit() says how many were.
    MutableByteView space();
    void commit(std::size_t bytes) { filled_ += bytes; }
    // The next whole frame, valid until space() is called; nothing when more bytes are needed.
    std::optional<ByteView> next();
    // The stream makes no sense; nothing more comes until reset().
    bool broken() const { return broken_; }
    void reset();

  private:
    Bytes buffer_;
    std::size_t begin_ = 0;
    std::size_t filled_ = 0;
    bool broken_ = false;
};

class StreamLink {
  public:
    explicit StreamLink(std::string path) : path_(std::move(path)) {}

    // Tries to connect when it is not and the last attempt is a while ago.
    void reconnect();
    bool connected() const { return static_cast<bool>(socket_); }
    int fd() const { return socket_.get(); }
    short events() const;
    // The queue to the machine is long: whoever makes frames should make fewer.
    bool congested() const { return queued_bytes_ > kCongestedBytes; }

    // After poll: `revents` of fd(). Calls `take` with each frame that came; it may call send().
    void on_ready(short revents, const std::function<void(ByteView)>& take);
    void send(ByteView frame);

  private:
    static constexpr std::size_t kCongestedBytes = 1U << 20;
    static constexpr std::size_t kMaxQueuedBytes = 4U << 20;

    void receive(const std::function<void(ByteView)>& take);
    void flush();
    void disconnect();

    const std::string path_;
    UniqueFd socket_;
    std::chrono::steady_clock::time_point next_attempt_{};
    FrameDecoder decoder_;
    std::deque<Bytes> queue_;     // with their lengths in front
    std::size_t first_sent_ = 0;  // bytes of queue_.front() that are gone
    std::size_t queued_bytes_ = 0;
};

}  // namespace kiln::compute
