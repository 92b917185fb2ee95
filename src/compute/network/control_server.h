// SPDX-License-Identifier: Apache-2.0
// The process's side of control_protocol.h: a few clients on a listening unix socket, each line
// answered at once. Clients that send too much or do not read are dropped.
// Thread model: one owner thread, which polls what prepare() adds.
#pragma once

#include <poll.h>

#include <functional>
#include <list>
#include <string>
#include <vector>

#include "compute/network/control_protocol.h"
#include "util/fs.h"

namespace kiln::compute {

class ControlServer {
  public:
    // Returns the answer's line.
    using Handler = std::function<std::string(Result<NetworkCommand>)>;

    ControlServer(UniqueFd listener, Handler handler)
        : listener_(std::move(listener)), handler_(std::move(handler)) {}

    // What to poll; valid until the next call.
    std::span<pollfd> prepare();
    // After poll() filled them.
    void dispatch();

  private:
    struct Client {
        UniqueFd socket;
        std::string input;
    };
    void accept();
    bool serve(Client& client);  // false: done with it

    const UniqueFd listener_;
    const Handler handler_;
    std::list<Client> clients_;
    std::vector<pollfd> watched_;  // the listener, then clients_ in order
};

}  // namespace kiln::compute
