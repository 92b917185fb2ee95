// SPDX-License-Identifier: Apache-2.0
#include "cli/backup_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cli/client.h"
#include "cli/output_file.h"
#include "cli/print.h"
#include "net/backup_stream.h"
#include "util/write_all.h"

namespace kiln::cli {
namespace {

constexpr char kStandardOutput[] = "-";

// Only looks: the decoder finds what the way here has damaged or cut off.
class NoSink final : public net::BackupDecoder::Sink {
  public:
    Status file(const std::string&, std::uint64_t) override { return ok(); }
    Status data(std::uint64_t, ByteView) override { return ok(); }
};

struct Copied {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
};

Result<Copied> copy(Client& client, int fd) {
    net::BackupDecoder decoder;
    NoSink sink;
    Copied copied;
    TRY(client.download("/kiln/v1/backup", [&](ByteView piece) -> Status {
        TRY(decoder.feed(piece, sink));
        copied.bytes += piece.size();
        return write_all(fd, piece, "the backup");
    }));
    TRY(decoder.finish());
    copied.files = decoder.files();
    return copied;
}

Result<Copied> back_up(const ClientChoices& choices, const BackupRequest& request) {
    if (request.file == kStandardOutput) {
        if (::isatty(STDOUT_FILENO) != 0) {
            return Error(Code::invalid_argument,
                         "a backup is nothing for a terminal: give a file, or a pipe");
        }
        TRY_ASSIGN(const auto client, Client::create(choices));
        return copy(*client, STDOUT_FILENO);
    }
    ::umask(0077);  // it holds every account's secret keys
    InterruptGuard guard;
    TRY_ASSIGN(const auto client, Client::create(choices));
    TRY_ASSIGN(const auto file, OutputFile::create(request.file, request.force, guard));
    if (::fchmod(file->fd(), 0600) != 0) {  // what a kill left may be open to others
        return Error::from_errno(errno, "protect " + file->part_path());
    }
    TRY_ASSIGN(const Copied copied, copy(*client, file->fd()), "nothing was kept of the backup");
    TRY(file->commit());
    return copied;
}

}  // namespace

int run_backup(const ClientChoices& choices, const BackupRequest& request) {
    const auto copied = back_up(choices, request);
    if (!copied) {
        return fail(copied.error());
    }
    if (request.file != kStandardOutput) {
        std::printf("backed up %llu files, %.1f MiB, to %s\n",
                    static_cast<unsigned long long>(copied->files),
                    static_cast<double>(copied->bytes) / (1 << 20), request.file.c_str());
    }
    return 0;
}

}  // namespace kiln::cli
