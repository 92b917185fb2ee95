// SPDX-License-Identifier: Apache-2.0
// Tunnel: a connection that has left HTTP by an Upgrade (status 101) and now carries bytes both
// ways.
//
// Owns the connection: destroying the tunnel closes it. It may outlive the handler that made it,
// and the server (whose stop() closes it, so that blocked calls return). Thread model: one thread
// may read while another writes; close() may be called from any thread.
#pragma once

#include "util/bytes.h"
#include "util/deadline.h"
#include "util/result.h"

namespace kiln::net {

class Tunnel {
  public:
    virtual ~Tunnel() = default;
    Tunnel() = default;
    Tunnel(const Tunnel&) = delete;
    Tunnel& operator=(const Tunnel&) = delete;

    // Waits for at least one byte; 0 means the peer will send no more. deadline_exceeded leaves the
    // tunnel usable; unavailable means that it is gone.
    virtual Result<std::size_t> read(MutableByteView out, Deadline deadline) = 0;
    // Returns when all of `data` is handed to the kernel. After an error part of it may have been
    // sent.
    virtual Status write(ByteView data, Deadline deadline) = 0;
    // Tells the peer that no more will be written; reading goes on.
    virtual void finish_writing() = 0;
    // Ends both directions; blocked calls return.
    virtual void close() = 0;
};

}  // namespace kiln::net
