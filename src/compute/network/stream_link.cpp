// SPDX-License-Identifier: Apache-2.0
#include "compute/network/stream_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kReadBytes = 64U << 10;
constexpr std::chrono::milliseconds kReconnectEvery(50);
// Reads and writes per readiness, so that one busy side cannot starve the other.
constexpr int kMaxTurns = 16;

}  // namespace

MutableByteView FrameDecoder::space() {
    if (begin_ > 0) {
        std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(filled_), buffer_.begin());
        filled_ -= begin_;
        begin_ = 0;
    }
    // next() leaves less than one frame here, so this bounds the buffer.
    buffer_.resize(std::max(buffer_.size(), filled_ + kReadBytes));
    return MutableByteView(buffer_).subspan(filled_);
}

std::optional<ByteView> FrameDecoder::next() {
    const std::size_t available = filled_ - begin_;
    if (broken_ || available < kLengthBytes) {
        return std::nullopt;
    }
    const std::size_t length = get_be<std::uint32_t>(&buffer_[begin_]);
    if (length > kMaxLength) {
        broken_ = true;
        return std::nullopt;
    }
    if (available - kLengthBytes < length) {
        return std::nullopt;
    }
    const ByteView frame = ByteView(buffer_).subspan(begin_ + kLengthBytes, length);
    begin_ += kLengthBytes + length;
    return frame;
}

void FrameDecoder::reset() {
    begin_ = 0;
    filled_ = 0;
    broken_ = false;
}

void StreamLink::reconnect() {
    const auto now = std::chrono::steady_clock::now();
    if (socket_ || now < next_attempt_) {
        return;
    }
    next_attempt_ = now + kReconnectEvery;
    if (auto socket = connect_unix(path_)) {
        socket_ = std::move(*socket);
    }
}

short StreamLink::events() const {
    return static_cast<short>(queue_.empty() ? POLLIN : POLLIN | POLLOUT);
}

void StreamLink::on_ready(short revents, const std::function<void(ByteView)>& take) {
    if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        receive(take);
    }
    flush();
}

void StreamLink::receive(const std::function<void(ByteView)>& take) {
    for (int turn = 0; turn < kMaxTurns && socket_; ++turn) {
        const MutableByteView space = decoder_.space();
        const ssize_t n = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            disconnect();
            return;
        }
        decoder_.commit(static_cast<std::size_t>(n));
        while (const auto frame = decoder_.next()) {
            take(*frame);
        }
        if (decoder_.broken()) {
            disconnect();
        }
    }
}

void StreamLink::send(ByteView frame) {
    if (!socket_ || frame.empty() || queued_bytes_ > kMaxQueuedBytes) {
        return;
    }
    Bytes message(kLengthBytes + frame.size());
    put_be(message.data(), static_cast<std::uint32_t>(frame.size()));
    std::copy(frame.begin(), frame.end(), message.begin() + kLengthBytes);
    queued_bytes_ += message.size();
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) {
        flush();
    }
}

void StreamLink::flush() {
    while (socket_ && !queue_.empty()) {
        const Bytes& first = queue_.front();
        const ssize_t n = ::send(socket_.get(), first.data() + first_sent_,
                                 first.size() - first_sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            disconnect();
            return;
        }
        first_sent_ += static_cast<std::size_t>(n);
        if (first_sent_ == first.size()) {
            queued_bytes_ -= first.size();
            first_sent_ = 0;
            queue_.pop_front();
        }
    }
}

void StreamLink::disconnect() {
    socket_.reset();
    decoder_.reset();
    queue_.clear();
    first_sent_ = 0;
    queued_bytes_ = 0;
}

}  // namespace kiln::compute
