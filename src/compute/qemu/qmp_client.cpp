// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/qmp_client.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

// More than this many unanswered commands mean that QEMU hangs; further ones would only fill its
// socket.
constexpr std::uint64_t kMaxUnanswered = 64;
// Read per wake-up, so that one chatty machine does not starve the others; the rest wakes us again.
constexpr std::size_t kMaxReadPerWake = 1U << 20;

}  // namespace

Result<std::shared_ptr<QmpClient>> QmpClient::connect(const std::string& path) {
    TRY_ASSIGN(auto socket, connect_unix(path));
    return std::make_shared<QmpClient>(std::move(socket));
}

Status QmpClient::handshake(Deadline deadline) {
    {
        MutexLock lock(mutex_);
        while (!greeted_ && !closed_) {
            if (!changed_.wait_until(lock, deadline.at()) && deadline.passed()) {
                return Error(Code::deadline_exceeded, "QMP: no greeting in time");
            }
        }
    }
    TRY_ASSIGN([[maybe_unused]] auto reply, execute("qmp_capabilities", deadline));
    return ok();
}

Result<QmpMessage> QmpClient::execute(std::string_view command, std::string_view arguments,
                                      Deadline deadline) {
    MutexLock lock(mutex_);
    TRY_ASSIGN(const std::uint64_t id, send_command(command, arguments));
    const auto slot = waiting_.emplace(id, std::nullopt).first;
    while (!slot->second && !closed_) {
        if (!changed_.wait_until(lock, deadline.at()) && deadline.passed()) {
            break;
        }
    }
    std::optional<QmpMessage> answer = std::move(slot->second);
    waiting_.erase(slot);
    if (answer && answer->kind == QmpMessage::Kind::failure) {
        return Error(Code::failed_precondition,
                     "QMP " + std::string(command) + ": " + answer->description);
    }
    if (answer) {
        return std::move(*answer);
    }
    if (closed_) {
        return Error(Code::unavailable, "QMP " + std::string(command) + ": " + why_closed_);
    }
    return Error(Code::deadline_exceeded, "QMP " + std::string(command) + ": no answer in time");
}

Result<std::uint64_t> QmpClient::send_command(std::string_view command,
                                              std::string_view arguments) {
    if (closed_) {
        return Error(Code::unavailable, "QMP " + std::string(command) + ": " + why_closed_);
    }
    if (unanswered_ >= kMaxUnanswered) {
        return Error(Code::unavailable, "QMP: too many unanswered commands");
    }
    const std::uint64_t id = next_id_++;
    const std::string line = encode_qmp_command(id, command, arguments);
    // Under the lock so that lines do not mix. It does not block: a command is far smaller than the
    // socket's buffer.
    const ssize_t sent =
        ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == static_cast<ssize_t>(line.size())) {
        ++unanswered_;
        return id;
    }
    // Half a line can never be mended: end the connection, and the supervisor will see it.
    closed_ = true;
    why_closed_ = "cannot send";
    ::shutdown(socket_.get(), SHUT_RDWR);
    changed_.notify_all();
    return Error(Code::unavailable, "QMP " + std::string(command) + ": cannot send");
}

QmpClient::Input QmpClient::on_readable() {
    Input input;
    std::size_t total = 0;
    char chunk[16384];
    while (total < kMaxReadPerWake) {
        const ssize_t n = ::recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            break;
        }
        if (n <= 0) {
            close("the connection ended");
            input.closed = true;
            break;
        }
        total += static_cast<std::size_t>(n);
        buffer_.append(chunk, static_cast<std::size_t>(n));
        if (!take_lines(input.events)) {
            close("QEMU sent what is not QMP");
            input.closed = true;
            break;
        }
    }
    return input;
}

bool QmpClient::take_lines(std::vector<QmpMessage>& events) {
    std::size_t begin = 0;
    while (true) {
        const std::size_t end = buffer_.find('\n', begin);
        if (end == std::string::npos) {
            break;
        }
        std::string_view line(buffer_.data() + begin, end - begin);
        begin = end + 1;
        auto message = parse_qmp_line(line);
        if (!message) {
            return false;
        }
        take_message(std::move(*message), events);
    }
    buffer_.erase(0, begin);
    return buffer_.size() <= kMaxQmpLineBytes;
}

void QmpClient::take_message(QmpMessage message, std::vector<QmpMessage>& events) {
    if (message.kind == QmpMessage::Kind::event) {
        events.push_back(std::move(message));
        return;
    }
    MutexLock lock(mutex_);
    if (message.kind == QmpMessage::Kind::greeting) {
        greeted_ = true;
    } else {
        unanswered_ -= unanswered_ > 0 ? 1 : 0;
        if (const auto slot = waiting_.find(message.id); slot != waiting_.end()) {
            slot->second = std::move(message);
        }
    }
    changed_.notify_all();
}

void QmpClient::close(std::string_view why) {
    MutexLock lock(mutex_);
    if (!closed_) {
        closed_ = true;
        why_closed_ = why;
        ::shutdown(socket_.get(), SHUT_RDWR);
    }
    changed_.notify_all();
}

bool QmpClient::closed() {
    MutexLock lock(mutex_);
    return closed_;
}

}  // namespace kiln::compute
