// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/guest_agent.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

// Answers to the commands above have some tens of bytes.
constexpr std::size_t kMaxBuffered = 64U << 10;
// The agent's parser starts afresh at this byte, and sends it before a delimited answer.
constexpr char kDelimiter = '\xff';

Status wait_for(int fd, short events, Deadline deadline) {
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(deadline.left().count()));
    if (ready < 0 && errno != EINTR) {
        return Error::from_errno(errno, "poll");
    }
    return ready > 0 || !deadline.passed()
               ? ok()
               : Status(Error(Code::deadline_exceeded, "the guest agent does not answer"));
}

Error lost(int why) {
    return Error(Code::unavailable,
                 std::string("the guest agent's connection ended: ") + std::strerror(why));
}

}  // namespace

Result<GuestAgent> GuestAgent::connect(const std::string& socket_path, Deadline deadline) {
    TRY_ASSIGN(UniqueFd socket, connect_unix(socket_path));
    GuestAgent agent(std::move(socket));
    TRY(agent.synchronize(deadline));
    return agent;
}

Status GuestAgent::synchronize(Deadline deadline) {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) {
        return Error::from_errno(errno, "getrandom");
    }
    number &= 0x7fffffff;
    TRY(send(fmt::format("{}{{\"execute\":\"guest-sync-delimited\",\"arguments\":{{\"id\":{}}}}}\n",
                         kDelimiter, number),
             deadline));
    const std::string wanted = fmt::format("{{\"return\": {}}}", number);
    while (true) {
        TRY_ASSIGN(std::string line, read_line(deadline));
        const auto mark = line.rfind(kDelimiter);
        if (mark != std::string::npos && line.substr(mark + 1) == wanted) {
            return ok();
        }
    }
}

Status GuestAgent::send(std::string_view line, Deadline deadline) {
    while (!line.empty()) {
        const ssize_t n = ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL);
        if (n > 0) {
            line.remove_prefix(static_cast<std::size_t>(n));
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return lost(errno);
        } else {
            TRY(wait_for(socket_.get(), POLLOUT, deadline));
        }
    }
    return ok();
}

Result<std::string> GuestAgent::read_line(Deadline deadline) {
    while (true) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            std::string line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return line;
        }
        if (buffer_.size() > kMaxBuffered) {
            return Error(Code::data_loss, "the guest agent sends a line without end");
        }
        char piece[4096];
        const ssize_t n = ::recv(socket_.get(), piece, sizeof piece, 0);
        if (n > 0) {
            buffer_.append(piece, static_cast<std::size_t>(n));
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return lost(n == 0 ? ECONNRESET : errno);
        } else {
            TRY(wait_for(socket_.get(), POLLIN, deadline));
        }
    }
}

Status GuestAgent::execute(std::string_view command, Deadline deadline) {
    TRY(send(fmt::format("{{\"execute\":\"{}\"}}\n", command), deadline));
    TRY_ASSIGN(const std::string line, read_line(deadline));
    TRY_ASSIGN(const QmpMessage answer, parse_qmp_line(line));
    if (answer.kind == QmpMessage::Kind::failure) {
        return Error(Code::failed_precondition, fmt::format("{}: {}", command, answer.description));
    }
    if (answer.kind != QmpMessage::Kind::reply) {
        return Error(Code::data_loss, "the guest agent's answer is none");
    }
    return ok();
}

Status GuestAgent::freeze(Deadline deadline) {
    return execute("guest-fsfreeze-freeze", deadline);
}

Status GuestAgent::thaw(Deadline deadline) {
    return execute("guest-fsfreeze-thaw", deadline);
}

}  // namespace kiln::compute
