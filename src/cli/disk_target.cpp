// SPDX-License-Identifier: Apache-2.0
#include "cli/disk_target.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "cli/sandboxed_nbd.h"

namespace kiln::cli {
namespace {

constexpr std::chrono::seconds kCreateTime{60};

class RawTarget final : public DiskTarget {
  public:
    explicit RawTarget(OutputFile& file) : file_(file) {}
    Status write(std::uint64_t offset, ByteView data) override {
        while (!data.empty()) {
            const ssize_t n =
                ::pwrite(file_.fd(), data.data(), data.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return Error::from_errno(n < 0 ? errno : EIO, "write " + file_.part_path());
            }
            offset += static_cast<std::uint64_t>(n);
            data = data.subspan(static_cast<std::size_t>(n));
        }
        return ok();
    }
    Status finish() override { return ok(); }

  private:
    OutputFile& file_;
};

Result<std::unique_ptr<DiskTarget>> make_raw(OutputFile& file, std::uint64_t size_bytes) {
    if (::ftruncate(file.fd(), static_cast<off_t>(size_bytes)) == 0) {
        return std::unique_ptr<DiskTarget>(std::make_unique<RawTarget>(file));
    }
    if (errno == EFBIG) {  // 16 TiB on ext4
        return Error(Code::invalid_argument,
                     "the file system takes no raw file of " + std::to_string(size_bytes) +
                         " bytes; take --format qcow2, or a directory on another one (XFS)");
    }
    return Error::from_errno(errno, "write " + file.part_path());
}

class Qcow2Target final : public DiskTarget {
  public:
    Qcow2Target(std::unique_ptr<SandboxedNbd> nbd, InterruptGuard& guard)
        : nbd_(std::move(nbd)), guard_(guard) {
        guard_.add(nbd_->directory());
    }
    ~Qcow2Target() override {
        const std::string directory = nbd_->directory();
        nbd_.reset();
        guard_.remove(directory);
    }
    Status write(std::uint64_t offset, ByteView data) override {
        return ::nbd_pwrite(nbd_->handle(), data.data(), data.size(), offset, 0) == 0
                   ? ok()
                   : Status(nbd_error("write the disk"));
    }
    Status finish() override { return nbd_->finish(); }

  private:
    std::unique_ptr<SandboxedNbd> nbd_;
    InterruptGuard& guard_;
};

Result<std::unique_ptr<DiskTarget>> make_qcow2(OutputFile& file, std::uint64_t size_bytes,
                                               InterruptGuard& guard) {
    std::error_code error;
    const std::string path = std::filesystem::canonical(file.part_path(), error).string();
    if (error) {
        return Error(Code::not_found, "open " + file.part_path() + ": " + error.message());
    }
    const std::vector<disks::SandboxFile> files{{path, "/disk", true}};
    const auto made = disks::run_in_sandbox(
        files, {"qemu-img", "create", "-q", "-f", "qcow2", "/disk", std::to_string(size_bytes)},
        Deadline::after(kCreateTime));
    if (!made) {
        return Error(made.error()).with("make a qcow2 disk");
    }
    TRY_ASSIGN(auto nbd, SandboxedNbd::start(files, {"--format=qcow2", "/disk"}));
    return std::unique_ptr<DiskTarget>(std::make_unique<Qcow2Target>(std::move(nbd), guard));
}

}  // namespace

Result<std::unique_ptr<DiskTarget>> make_disk(OutputFile& file, const std::string& format,
                                              std::uint64_t size_bytes, InterruptGuard& guard) {
    if (format == "raw") {
        return make_raw(file, size_bytes);
    }
    if (format == "qcow2") {
        return make_qcow2(file, size_bytes, guard);
    }
    return Error(Code::invalid_argument, "--format takes raw or qcow2, not '" + format +
                                             "'; qemu-img convert makes others of these");
}

}  // namespace kiln::cli
