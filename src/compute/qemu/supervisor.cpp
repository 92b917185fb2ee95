// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/supervisor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "util/check.h"
#include "util/deadline.h"

namespace kiln::compute {
namespace {

constexpr std::uint64_t kWakeToken = 0;

Status add_to_epoll(int epoll, int fd, std::uint64_t token) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = token;
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        return Error::from_errno(errno, "epoll_ctl");
    }
    return ok();
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::create(std::chrono::milliseconds tick,
                                                       std::function<void()> on_tick) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) {
        return Error::from_errno(errno, "epoll_create1");
    }
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake) {
        return Error::from_errno(errno, "eventfd");
    }
    TRY(add_to_epoll(epoll.get(), wake.get(), kWakeToken));
    return std::unique_ptr<Supervisor>(
        new Supervisor(std::move(epoll), std::move(wake), tick, std::move(on_tick)));
}

Supervisor::Supervisor(UniqueFd epoll, UniqueFd wake, std::chrono::milliseconds tick,
                       std::function<void()> on_tick)
    : epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      tick_(tick),
      on_tick_(std::move(on_tick)),
      thread_([this] { run(); }) {}

Supervisor::~Supervisor() {
    INVARIANT(!on_this_thread());
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
}

Status Supervisor::watch(int fd, Handler handler) {
    MutexLock lock(mutex_);
    const Token token = next_token_++;
    watches_.emplace(token, std::make_shared<Watch>(Watch{fd, std::move(handler)}));
    // Under the lock, so that dispatch() finds the entry however soon the descriptor fires.
    if (auto added = add_to_epoll(epoll_.get(), fd, token); !added) {
        watches_.erase(token);
        return added;
    }
    return ok();
}

void Supervisor::forget(Token token) {
    std::shared_ptr<Watch> last;  // its handler may own much: destroyed after the lock is released
    MutexLock lock(mutex_);
    const auto found = watches_.find(token);
    if (found == watches_.end()) {
        return;
    }
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->fd, nullptr);
    last = std::move(found->second);
    watches_.erase(found);
}

void Supervisor::dispatch(Token token) {
    std::shared_ptr<Watch> watch;
    {
        MutexLock lock(mutex_);
        if (const auto found = watches_.find(token); found != watches_.end()) {
            watch = found->second;
        }
    }
    if (watch && !watch->handler()) {
        forget(token);
    }
}

void Supervisor::run() {
    auto next_tick = Deadline::after(tick_);
    std::array<epoll_event, 64> ready;
    while (true) {
        const int n = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()),
                                   static_cast<int>(next_tick.left().count()));
        INVARIANT(n >= 0 || errno == EINTR);
        for (int i = 0; i < n; ++i) {
            const Token token = ready[static_cast<std::size_t>(i)].data.u64;
            if (token == kWakeToken) {
                return;
            }
            dispatch(token);
        }
        if (next_tick.passed()) {
            on_tick_();
            next_tick = Deadline::after(tick_);
        }
    }
}

}  // namespace kiln::compute
