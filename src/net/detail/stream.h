// SPDX-License-Identifier: Apache-2.0
// Stream: a connected, non-blocking byte stream over a descriptor it owns: plain TCP or TLS. A step
// does what it can at once and says what to wait for, so that the I/O thread (which waits with its
// reactor) and handler threads (which wait with poll and a deadline) drive the same object.
//
// Errors: unavailable (reset, closed). After one the stream is good for nothing.
// Thread model: one thread may read while another writes; shut_down() from any thread.
#pragma once

#include <memory>

#include "net/tunnel.h"
#include "util/bytes.h"
#include "util/deadline.h"
#include "util/fs.h"
#include "util/result.h"

namespace kiln::net::detail {

enum class Wait { none, readable, writable };

struct Step {
    std::size_t bytes = 0;
    Wait wait = Wait::none;  // nothing was done; try again when the descriptor is ready for this
    bool end = false;        // the peer will send no more
};

class Stream {
  public:
    explicit Stream(UniqueFd fd) : fd_(std::move(fd)) {}
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // To be repeated until it asks to wait for nothing.
    virtual Result<Step> handshake() = 0;
    virtual Result<Step> try_read(MutableByteView out) = 0;
    virtual Result<Step> try_write(ByteView data) = 0;
    virtual void finish_writing() = 0;
    // Both directions end; waiting threads wake up.
    void shut_down();
    int fd() const { return fd_.get(); }

  private:
    const UniqueFd fd_;
};

std::unique_ptr<Stream> make_plain_stream(UniqueFd fd);

// Waits until `fd` is ready (also for an error); deadline_exceeded when it is not in time.
Status wait_ready(int fd, Wait wait, Deadline deadline);
// At least one byte, or 0 at the end.
Result<std::size_t> read_some(Stream& stream, MutableByteView out, Deadline deadline);
// Every piece that the peer takes renews `stall`, the time it may take nothing at all.
Status write_all(Stream& stream, ByteView data, std::chrono::milliseconds stall, Deadline deadline);

Deadline earlier(Deadline a, Deadline b);
// The errors of recv() and send(): unavailable.
Error lost_connection(int err);

// `early` are bytes that were read behind the HTTP message; they come first.
std::unique_ptr<Tunnel> make_tunnel(std::shared_ptr<Stream> stream, ByteView early);

}  // namespace kiln::net::detail
