// SPDX-License-Identifier: Apache-2.0
#include "cli/sandboxed_nbd.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

namespace kiln::cli {
namespace {

constexpr std::chrono::seconds kServeTime{30};
// The flush before has written everything; what is left is closing the file.
constexpr std::chrono::seconds kEndTime{60};

}  // namespace

Error nbd_error(const std::string& what) {
    const char* why = ::nbd_get_error();
    return Error(Code::io_error, what + ": " + (why != nullptr ? why : "unknown"));
}

Result<std::unique_ptr<SandboxedNbd>> SandboxedNbd::start(std::vector<disks::SandboxFile> files,
                                                          const std::vector<std::string>& options) {
    std::error_code error;
    std::string directory = std::filesystem::temp_directory_path(error).string() + "/kiln-XXXXXX";
    if (error || ::mkdtemp(directory.data()) == nullptr) {
        return Error::from_errno(errno, "make a temporary directory");
    }
    files.push_back({directory, "/run/shared", true});
    std::vector<std::string> program{"qemu-nbd", "--socket=/run/shared/nbd.sock"};
    program.insert(program.end(), options.begin(), options.end());
    TRY_ASSIGN(disks::Pipe pipe, disks::make_pipe());
    auto child = disks::Child::start(disks::in_sandbox(files, program), pipe.in.get());
    if (!child) {
        std::filesystem::remove_all(directory, error);
        return child.error();
    }
    std::unique_ptr<SandboxedNbd> self(
        new SandboxedNbd(std::move(directory), *std::move(child), std::move(pipe.out)));
    pipe.in.reset();
    TRY(self->connect());
    return self;
}

SandboxedNbd::~SandboxedNbd() {
    nbd_.reset();
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

Status SandboxedNbd::connect() {
    const std::string socket = directory_ + "/nbd.sock";
    const Deadline deadline = Deadline::after(kServeTime);
    // The socket's file is there a moment before anybody listens: only a connection is a sign.
    while (true) {
        nbd_.reset(::nbd_create());
        if (!nbd_ || ::nbd_add_meta_context(nbd_.get(), LIBNBD_CONTEXT_BASE_ALLOCATION) != 0) {
            return nbd_error("open the disk");
        }
        if (::nbd_connect_unix(nbd_.get(), socket.c_str()) == 0) {
            return ok();
        }
        const int why = ::nbd_get_errno();
        if (why != ENOENT && why != ECONNREFUSED) {
            return nbd_error("open the disk");
        }
        if (server_->ended()) {
            TRY_ASSIGN(const std::string words, disks::read_output(output_.get(), deadline));
            return Error(Code::invalid_argument, "the disk cannot be opened: " + words);
        }
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, "qemu-nbd did not open the disk in time");
        }
        ::poll(nullptr, 0, 5);
    }
}

Status SandboxedNbd::finish() {
    if (::nbd_flush(nbd_.get(), 0) != 0 || ::nbd_shutdown(nbd_.get(), 0) != 0) {
        return nbd_error("finish the disk");
    }
    nbd_.reset();
    TRY_ASSIGN(const std::string words,
               disks::read_output(output_.get(), Deadline::after(kEndTime)));
    if (const int status = server_->wait(); status != 0) {
        return Error(Code::io_error, "qemu-nbd could not finish the disk: " + words);
    }
    return ok();
}

}  // namespace kiln::cli
