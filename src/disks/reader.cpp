// SPDX-License-Identifier: Apache-2.0
// The reader's own side: what runs in the sandbox.
#include "disks/reader.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "util/strings.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kCachedPages = 256;

class RemoteDisk {
  public:
    RemoteDisk(int socket, std::uint64_t size_bytes) : socket_(socket), size_(size_bytes) {}

    Status read(std::uint64_t offset, MutableByteView into) {
        if (offset > size_ || into.size() > size_ - offset) {
            return Error(Code::io_error, "read beyond the end");
        }
        while (!into.empty()) {
            TRY_ASSIGN(const Bytes* bytes, page(offset / kPageBytes));
            const std::size_t inside = offset % kPageBytes;
            const std::size_t part = std::min(into.size(), bytes->size() - inside);
            std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(inside), part, into.begin());
            into = into.subspan(part);
            offset += part;
        }
        return ok();
    }

  private:
    Result<const Bytes*> page(std::uint64_t number) {
        const auto found = pages_.find(number);
        if (found != pages_.end()) {
            return &found->second;
        }
        if (pages_.size() == kCachedPages) {
            pages_.erase(pages_.begin());
        }
        TRY_ASSIGN(Bytes fresh, ask(number));
        return &pages_.emplace(number, std::move(fresh)).first->second;
    }

    Result<Bytes> ask(std::uint64_t number) {
        std::uint8_t request[8];
        put_le(request, number);
        const auto length = static_cast<std::size_t>(
            std::min<std::uint64_t>(kPageBytes, size_ - number * kPageBytes));
        Bytes answer(length + 1);
        if (ended_ || ::send(socket_, request, sizeof request, MSG_NOSIGNAL) != sizeof request ||
            ::recv(socket_, answer.data(), answer.size(), 0) !=
                static_cast<ssize_t>(answer.size()) ||
            answer[0] != 1) {
            ended_ = true;
            return Error(Code::io_error, "no more of the disk can be read");
        }
        answer.erase(answer.begin());
        return answer;
    }

    const int socket_;
    const std::uint64_t size_;
    bool ended_ = false;
    std::map<std::uint64_t, Bytes> pages_;
};

}  // namespace

bool parse_reader_arguments(const std::vector<std::string>& words, std::uint64_t* size_bytes,
                            std::vector<Range>* ranges) {
    if (words.empty()) {
        return false;
    }
    const auto size = parse_int<std::uint64_t>(words[0]);
    if (!size) {
        return false;
    }
    *size_bytes = *size;
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto parts = split(words[i], ':');
        if (parts.size() != 2) {
            return false;
        }
        const auto offset = parse_int<std::uint64_t>(parts[0]);
        const auto length = parse_int<std::uint64_t>(parts[1]);
        if (!offset || !length || *offset > *size || *length > *size - *offset) {
            return false;
        }
        ranges->push_back({*offset, *length});
    }
    return true;
}

int run_reader(const std::vector<std::string>& words) {
    std::uint64_t size = 0;
    std::vector<Range> ranges;
    if (!parse_reader_arguments(words, &size, &ranges)) {
        std::fputs("read-disk is started by kiln itself\n", stderr);
        return 2;
    }
    RemoteDisk disk(STDIN_FILENO, size);
    std::vector<FileSystemFindings> findings;
    for (const Range& range : ranges) {
        findings.push_back(
            examine(range.length, [&disk, &range](std::uint64_t offset, MutableByteView into) {
                if (offset > range.length || into.size() > range.length - offset) {
                    return Status(Error(Code::io_error, "read beyond the end"));
                }
                return disk.read(range.offset + offset, into);
            }));
    }
    std::puts(encode_findings(findings).c_str());
    return 0;
}

}  // namespace kiln::disks
