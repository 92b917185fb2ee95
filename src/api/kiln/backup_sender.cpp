// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/backup_sender.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/backup_stream.h"
#include "util/fs.h"

namespace kiln::api {
namespace {

constexpr std::uint64_t kPiece = 256U << 10;

class Sender {
  public:
    Sender(net::ResponseWriter& response, Deadline deadline)
        : response_(response), deadline_(deadline), piece_(kPiece) {
        encoder_.begin(buffer_);
    }

    Status send_file(const std::string& directory, const std::string& path);
    Status end() {
        encoder_.end(buffer_);
        TRY(flush());
        return response_.finish(deadline_);
    }

  private:
    Status send_range(int fd, std::uint64_t offset, std::uint64_t end, const std::string& path);
    Status flush() {
        TRY(response_.write(buffer_, deadline_));
        buffer_.clear();
        return ok();
    }

    net::ResponseWriter& response_;
    const Deadline deadline_;
    net::BackupEncoder encoder_;
    Bytes buffer_;  // encoded, not sent
    Bytes piece_;
};

Status Sender::send_range(int fd, std::uint64_t offset, std::uint64_t end,
                          const std::string& path) {
    while (offset < end) {
        const std::size_t wanted = std::min(kPiece, end - offset);
        const ssize_t n = ::pread(fd, piece_.data(), wanted, static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? Error::from_errno(errno, "read " + path)
                         : Error(Code::data_loss, path + " is shorter than it was");
        }
        const auto size = static_cast<std::size_t>(n);
        encoder_.data(offset, ByteView(piece_).first(size), buffer_);
        if (buffer_.size() >= kPiece) {
            TRY(flush());
        }
        offset += size;
    }
    return ok();
}

Status Sender::send_file(const std::string& directory, const std::string& path) {
    const UniqueFd fd(::open((directory + "/" + path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        return Error::from_errno(errno, "open " + path);
    }
    encoder_.file(path, static_cast<std::uint64_t>(info.st_size), buffer_);
    off_t at = 0;
    while (at < info.st_size) {
        const off_t data = ::lseek(fd.get(), at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // nothing but a hole
        }
        const off_t hole = data < 0 ? -1 : ::lseek(fd.get(), data, SEEK_HOLE);
        if (hole < 0) {
            return Error::from_errno(errno, "find the data of " + path);
        }
        TRY(send_range(fd.get(), static_cast<std::uint64_t>(data),
                       static_cast<std::uint64_t>(std::min(hole, info.st_size)), path));
        at = hole;
    }
    return ok();
}

}  // namespace

Status send_backup(const control::Backup& backup, net::ResponseWriter& response,
                   Deadline deadline) {
    TRY(response.begin(std::nullopt));
    Sender sender(response, deadline);
    for (const std::string& path : backup.files()) {
        TRY(sender.send_file(backup.directory(), path));
    }
    return sender.end();
}

}  // namespace kiln::api
