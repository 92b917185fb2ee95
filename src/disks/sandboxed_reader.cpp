// SPDX-License-Identifier: Apache-2.0
// The side that has the disk. Whatever comes from the reader is checked as if it were the disk's.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "disks/reader.h"
#include "disks/sandbox.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxAnswer = 256U << 10;
constexpr std::uint32_t kCpuSeconds = 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// The sanitizers reserve terabytes of addresses.
constexpr std::uint64_t kMemory = ~0ULL >> 1;
#else
constexpr std::uint64_t kMemory = 1ULL << 30;
#endif

Error broken(const std::string& what) {
    return Error(Code::invalid_argument, "the reader of file systems " + what);
}

class PageServer {
  public:
    PageServer(int socket, std::uint64_t size_bytes, const ReadAt& read)
        : socket_(socket), size_(size_bytes), read_(read) {}

    // One request. False when there will be no more of them.
    Result<bool> serve() {
        std::uint8_t request[9];
        const ssize_t n = ::recv(socket_, request, sizeof request, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno == ECONNRESET)) {
            return false;
        }
        if (n != 8) {
            return broken("does not keep to its protocol");
        }
        const auto number = get_le<std::uint64_t>(request);
        if (number >= (size_ + kPageBytes - 1) / kPageBytes) {
            return broken("asks for what is not there");
        }
        Bytes answer(1, 0);
        if (++served_ <= kMaxPages) {
            const auto length = std::min<std::uint64_t>(kPageBytes, size_ - number * kPageBytes);
            answer.resize(1 + static_cast<std::size_t>(length));
            TRY(read_(number * kPageBytes, MutableByteView(answer).subspan(1)));
            answer[0] = 1;
        }
        // It waits for nothing but this answer, so that there is room for it.
        if (::send(socket_, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
            errno != EPIPE && errno != ECONNRESET) {
            return broken("does not keep to its protocol");
        }
        return true;
    }

  private:
    const int socket_;
    const std::uint64_t size_;
    const ReadAt& read_;
    std::size_t served_ = 0;
};

}  // namespace

Result<std::string> serve_reader(int socket, int output, const ReadRequest& request,
                                 const ReadAt& read, Deadline deadline) {
    PageServer pages(socket, request.size_bytes, read);
    std::string text;
    bool asking = true;
    while (text.size() <= kMaxAnswer) {
        pollfd waiting[2] = {{output, POLLIN, 0}, {asking ? socket : -1, POLLIN, 0}};
        const int ready = ::poll(waiting, 2, static_cast<int>(deadline.left().count()));
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return Error(Code::deadline_exceeded, "the reader of file systems took too long");
        }
        if (waiting[1].revents != 0) {
            TRY_ASSIGN(asking, pages.serve());
        }
        if (waiting[0].revents != 0) {
            char piece[4096];
            const ssize_t n = ::read(output, piece, sizeof piece);
            if (n <= 0) {
                return text;
            }
            text.append(piece, static_cast<std::size_t>(n));
        }
    }
    return broken("has too much to say");
}

Result<std::vector<FileSystemFindings>> run_sandboxed_reader(const ReadRequest& request,
                                                             const ReadAt& read,
                                                             const std::string& program,
                                                             Deadline deadline) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return Error::from_errno(errno, "socketpair");
    }
    const UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    TRY_ASSIGN(Pipe pipe, make_pipe());
    std::vector<std::string> words{"/kiln", "read-disk", std::to_string(request.size_bytes)};
    for (const Range& range : request.ranges) {
        words.push_back(std::to_string(range.offset) + ":" + std::to_string(range.length));
    }
    TRY_ASSIGN(Child child,
               Child::start(in_sandbox({{program, "/kiln"}}, words, {kMemory, kCpuSeconds}),
                            pipe.in.get(), theirs.get()));
    pipe.in.reset();
    theirs.reset();
    TRY_ASSIGN(const std::string text,
               serve_reader(ours.get(), pipe.out.get(), request, read, deadline));
    if (const int status = child.wait(); status != 0) {
        return broken("failed (" + std::to_string(status) + "): " + printable(text));
    }
    return decode_findings(text, request.ranges.size());
}

}  // namespace kiln::disks
