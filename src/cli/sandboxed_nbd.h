// SPDX-License-Identifier: Apache-2.0
// SandboxedNbd: qemu-nbd in a sandbox, and a connection to it. Without `--persistent` the server
// ends when finish() leaves it, and has then written everything. Thread model: one owner thread,
// blocking.
#pragma once

#include <libnbd.h>

#include <memory>

#include "disks/sandbox.h"

namespace kiln::cli {

// What went wrong with the last call of libnbd.
Error nbd_error(const std::string& what);

class SandboxedNbd {
  public:
    // `options`: qemu-nbd's, but for the socket.
    static Result<std::unique_ptr<SandboxedNbd>> start(std::vector<disks::SandboxFile> files,
                                                       const std::vector<std::string>& options);
    ~SandboxedNbd();
    SandboxedNbd(const SandboxedNbd&) = delete;
    SandboxedNbd& operator=(const SandboxedNbd&) = delete;

    nbd_handle* handle() const { return nbd_.get(); }
    // Of its socket; removed in the end.
    const std::string& directory() const { return directory_; }
    // Flushes, disconnects, and waits for the server's end.
    Status finish();

  private:
    struct Close {
        void operator()(nbd_handle* handle) const { ::nbd_close(handle); }
    };
    SandboxedNbd(std::string directory, disks::Child server, UniqueFd output)
        : directory_(std::move(directory)),
          server_(std::make_unique<disks::Child>(std::move(server))),
          output_(std::move(output)) {}
    Status connect();

    const std::string directory_;
    std::unique_ptr<disks::Child> server_;
    UniqueFd output_;
    std::unique_ptr<nbd_handle, Close> nbd_;
};

}  // namespace kiln::cli
