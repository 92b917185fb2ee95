// SPDX-License-Identifier: Apache-2.0
#if defined(__SANITIZE_THREAD__)
// The thread sanitizer does not know fences, and GCC says so with an error. Asio's queue is locked
// anyway.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#include "net/detail/reactor.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

namespace kiln::net::detail {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A completion may already be queued when its wait is cancelled: it calls back only if it is still
// the current one.
class Generation {
  public:
    std::uint64_t next() { return ++*current_; }
    std::function<void(const error_code&)> guard(std::function<void()> callback) {
        return [current = current_, mine = next(),
                callback = std::move(callback)](const error_code& ec) {
            if (*current == mine && ec != asio::error::operation_aborted) {
                callback();
            }
        };
    }

  private:
    const std::shared_ptr<std::uint64_t> current_ = std::make_shared<std::uint64_t>(0);
};

class AsioWatch : public Reactor::Watch {
  public:
    explicit AsioWatch(asio::io_context& io) : descriptor_(io) {}
    ~AsioWatch() override {
        generation_.next();
        if (descriptor_.is_open()) {
            descriptor_.release();
        }
    }
    Status open(int fd) {
        error_code ec;
        descriptor_.assign(fd, ec);
        return ec ? Status(Error(Code::resource_exhausted, "watch a socket: " + ec.message()))
                  : ok();
    }
    void wait(Wait wait, std::function<void()> callback) override {
        cancel();
        descriptor_.async_wait(wait == Wait::writable ? asio::posix::stream_descriptor::wait_write
                                                      : asio::posix::stream_descriptor::wait_read,
                               generation_.guard(std::move(callback)));
    }
    void cancel() override {
        generation_.next();
        error_code ec;
        descriptor_.cancel(ec);
    }

  private:
    asio::posix::stream_descriptor descriptor_;
    Generation generation_;
};

class AsioTimer : public Reactor::Timer {
  public:
    explicit AsioTimer(asio::io_context& io) : timer_(io) {}
    ~AsioTimer() override { generation_.next(); }
    void start(std::chrono::milliseconds time, std::function<void()> callback) override {
        timer_.expires_after(time);
        timer_.async_wait(generation_.guard(std::move(callback)));
    }
    void cancel() override {
        generation_.next();
        timer_.cancel();
    }

  private:
    asio::steady_timer timer_;
    Generation generation_;
};

class AsioReactor : public Reactor {
  public:
    explicit AsioReactor(const std::string& thread_name)
        : work_(asio::make_work_guard(io_)), thread_([this, thread_name] {
              pthread_setname_np(pthread_self(), thread_name.substr(0, 15).c_str());
              io_.run();
          }) {}
    ~AsioReactor() override { stop(); }

    void post(std::function<void()> callback) override { asio::post(io_, std::move(callback)); }
    Result<std::unique_ptr<Watch>> watch(int fd) override {
        auto watch = std::make_unique<AsioWatch>(io_);
        TRY(watch->open(fd));
        return std::unique_ptr<Watch>(std::move(watch));
    }
    std::unique_ptr<Timer> timer() override { return std::make_unique<AsioTimer>(io_); }
    void stop() override {
        io_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

  private:
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Reactor> Reactor::create(const std::string& thread_name) {
    return std::make_unique<AsioReactor>(thread_name);
}

}  // namespace kiln::net::detail
