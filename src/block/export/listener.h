// SPDX-License-Identifier: Apache-2.0
// Listener: takes the connections of one unix socket, one after the other, while its owner has room
// for another; the next ones wait in the backlog. An accept that fails (no descriptors are left) is
// tried again a little later, not at once, which would spin. Thread model: one owner thread.
#pragma once

#include <functional>
#include <string>

#include "io/scheduler.h"
#include "io/sockets.h"

namespace kiln::block {

class Listener {
  public:
    struct Owner {
        std::string name;  // for the log
        std::function<bool()> has_room;
        std::function<void(io::SocketId)> connected;
    };
    Listener(io::Sockets& sockets, io::Scheduler& scheduler, io::SocketId socket, Owner owner)
        : sockets_(sockets), scheduler_(scheduler), socket_(socket), owner_(std::move(owner)) {}
    // Only after close() is done, or before accept().
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // To begin with, and when there may be room again.
    void accept();
    // Once. Removes the socket; `done` may run inside the call. Nobody is connected after this.
    void close(io::Callback<> done);

  private:
    void accepted(Result<io::SocketId> connection);

    io::Sockets& sockets_;
    io::Scheduler& scheduler_;
    const io::SocketId socket_;
    const Owner owner_;
    bool accepting_ = false;
    bool closing_ = false;
    io::TimerId retry_{};
    io::Callback<> closed_;
};

}  // namespace kiln::block
