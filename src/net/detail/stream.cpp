// SPDX-License-Identifier: Apache-2.0
#include "net/detail/stream.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace kiln::net::detail {

namespace {

class PlainStream : public Stream {
  public:
    using Stream::Stream;

    Result<Step> handshake() override { return Step{}; }

    Result<Step> try_read(MutableByteView out) override {
        const ssize_t count = retry([&] { return ::recv(fd(), out.data(), out.size(), 0); });
        if (count < 0) {
            return blocked(Wait::readable);
        }
        return Step{.bytes = static_cast<std::size_t>(count), .end = count == 0};
    }

    Result<Step> try_write(ByteView data) override {
        const ssize_t count =
            retry([&] { return ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL); });
        if (count < 0) {
            return blocked(Wait::writable);
        }
        return Step{.bytes = static_cast<std::size_t>(count)};
    }

    void finish_writing() override { ::shutdown(fd(), SHUT_WR); }

  private:
    template <class Call>
    static ssize_t retry(Call call) {
        ssize_t count = -1;
        do {
            count = call();
        } while (count < 0 && errno == EINTR);
        return count;
    }

    static Result<Step> blocked(Wait wait) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return Step{.wait = wait};
        }
        return lost_connection(errno);
    }
};

// Nobody interrupts a tunnel for writing little: only the caller's deadline counts.
constexpr std::chrono::milliseconds kNoStallLimit = std::chrono::hours(24);

class StreamTunnel : public Tunnel {
  public:
    StreamTunnel(std::shared_ptr<Stream> stream, ByteView early)
        : stream_(std::move(stream)), early_(early.begin(), early.end()) {}
    ~StreamTunnel() override { stream_->shut_down(); }

    Result<std::size_t> read(MutableByteView out, Deadline deadline) override {
        if (early_at_ < early_.size()) {
            const std::size_t count = std::min(out.size(), early_.size() - early_at_);
            std::copy_n(early_.begin() + static_cast<std::ptrdiff_t>(early_at_), count,
                        out.begin());
            early_at_ += count;
            return count;
        }
        return read_some(*stream_, out, deadline);
    }
    Status write(ByteView data, Deadline deadline) override {
        return write_all(*stream_, data, kNoStallLimit, deadline);
    }
    void finish_writing() override { stream_->finish_writing(); }
    void close() override { stream_->shut_down(); }

  private:
    const std::shared_ptr<Stream> stream_;
    const Bytes early_;
    std::size_t early_at_ = 0;  // of the reading thread
};

}  // namespace

void Stream::shut_down() {
    ::shutdown(fd_.get(), SHUT_RDWR);
}

std::unique_ptr<Stream> make_plain_stream(UniqueFd fd) {
    return std::make_unique<PlainStream>(std::move(fd));
}

std::unique_ptr<Tunnel> make_tunnel(std::shared_ptr<Stream> stream, ByteView early) {
    return std::make_unique<StreamTunnel>(std::move(stream), early);
}

Status wait_ready(int fd, Wait wait, Deadline deadline) {
    pollfd entry{
        .fd = fd, .events = wait == Wait::writable ? short{POLLOUT} : short{POLLIN}, .revents = 0};
    while (true) {
        const int ready = ::poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (ready > 0) {
            return ok();
        }
        if (ready < 0 && errno != EINTR) {
            return Error::from_errno(errno, "poll");
        }
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, wait == Wait::writable
                                                      ? "the peer does not take the data in time"
                                                      : "the peer does not send in time");
        }
    }
}

Result<std::size_t> read_some(Stream& stream, MutableByteView out, Deadline deadline) {
    while (true) {
        TRY_ASSIGN(const Step step, stream.try_read(out));
        if (step.wait == Wait::none) {
            return step.bytes;
        }
        TRY(wait_ready(stream.fd(), step.wait, deadline));
    }
}

Status write_all(Stream& stream, ByteView data, std::chrono::milliseconds stall,
                 Deadline deadline) {
    while (!data.empty()) {
        TRY_ASSIGN(const Step step, stream.try_write(data));
        data = data.subspan(step.bytes);
        if (step.wait != Wait::none) {
            TRY(wait_ready(stream.fd(), step.wait, earlier(deadline, Deadline::after(stall))));
        }
    }
    return ok();
}

Deadline earlier(Deadline a, Deadline b) {
    return a.at() < b.at() ? a : b;
}

Error lost_connection(int err) {
    return Error(Code::unavailable, std::string("the connection is lost: ") + std::strerror(err));
}

}  // namespace kiln::net::detail
