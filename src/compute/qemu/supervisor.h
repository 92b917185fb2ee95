// SPDX-License-Identifier: Apache-2.0
// The one thread that watches every machine's control socket and pidfd (epoll), and ticks now and
// then.
//
// A watch lives until its handler returns false (or the supervisor ends). The handler owns the
// descriptor and what else it uses (capture a shared_ptr). Handlers run one at a time, must not
// block, and may call watch().
//
// Thread-safe. The destructor joins the thread; it must not run on it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::compute {

class Supervisor {
  public:
    using Handler = std::function<bool()>;  // false: watch no longer

    // `on_tick` runs on the thread about every `tick`.
    static Result<std::unique_ptr<Supervisor>> create(std::chrono::milliseconds tick,
                                                      std::function<void()> on_tick);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Calls `handler` whenever `fd` is readable or hung up (level triggered).
    Status watch(int fd, Handler handler) EXCLUDES(mutex_);
    bool on_this_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  private:
    using Token = std::uint64_t;  // what epoll gives back; 0 is the eventfd
    struct Watch {
        int fd;
        Handler handler;
    };
    Supervisor(UniqueFd epoll, UniqueFd wake, std::chrono::milliseconds tick,
               std::function<void()> on_tick);
    void run() EXCLUDES(mutex_);
    void dispatch(Token token) EXCLUDES(mutex_);
    void forget(Token token) EXCLUDES(mutex_);

    const UniqueFd epoll_;
    const UniqueFd wake_;  // eventfd: the destructor's call to end
    const std::chrono::milliseconds tick_;
    const std::function<void()> on_tick_;

    Mutex mutex_;
    Token next_token_ GUARDED_BY(mutex_) = 1;
    std::map<Token, std::shared_ptr<Watch>> watches_ GUARDED_BY(mutex_);

    std::thread thread_;  // last: runs over all of the above
};

}  // namespace kiln::compute
