// SPDX-License-Identifier: Apache-2.0
// ConnectionTable: the open connections of a server, tunnels included, so that they can be counted
// and cut off.
//
// Thread-safe. Held by shared pointers from the server and from every adopted stream: a tunnel may
// outlive the server.
#pragma once

#include <functional>
#include <memory>
#include <unordered_set>

#include "net/detail/stream.h"
#include "util/mutex.h"

namespace kiln::net::detail {

class ConnectionTable : public std::enable_shared_from_this<ConnectionTable> {
  public:
    // `on_room` is called after a connection closed, from any thread, until forget_owner().
    explicit ConnectionTable(std::function<void()> on_room) : on_room_(std::move(on_room)) {}

    std::shared_ptr<Stream> adopt(std::unique_ptr<Stream> stream) EXCLUDES(mutex_);
    std::size_t size() const EXCLUDES(mutex_);
    // Shuts all of them down; whoever waits for one wakes up.
    void cut_off_all() EXCLUDES(mutex_);
    void forget_owner() EXCLUDES(mutex_);

  private:
    void remove(Stream* stream) EXCLUDES(mutex_);

    mutable Mutex mutex_;
    std::unordered_set<Stream*> streams_ GUARDED_BY(mutex_);
    std::function<void()> on_room_ GUARDED_BY(mutex_);
};

}  // namespace kiln::net::detail
