// SPDX-License-Identifier: Apache-2.0
#include "cli/sandboxed_disk.h"

#include <libnbd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/sandboxed_nbd.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxDiskBytes = 64ULL << 40;
// qemu-img reads a header; a disk that makes it work longer is not to be trusted.
constexpr std::chrono::seconds kDescribeTime{60};
// More than one request of libnbd's; block status answers cover what they can.
constexpr std::uint64_t kStatusBytes = 1ULL << 30;
constexpr std::size_t kReadBytes = 1U << 20;

Result<std::uint64_t> describe(const std::string& disk, const std::string& format) {
    const auto text = disks::run_in_sandbox(
        {{disk, "/disk"}}, {"qemu-img", "info", "--output=json", "-f", format, "/disk"},
        Deadline::after(kDescribeTime));
    if (!text && text.error().code() == Code::invalid_argument) {
        return Error(
            Code::invalid_argument,
            "the file is no " + format + " disk that can be read: " + text.error().message());
    }
    if (!text) {
        return text.error();
    }
    return check_description(*text, format);
}

class SandboxedDisk final : public DiskSource {
  public:
    SandboxedDisk(std::unique_ptr<SandboxedNbd> nbd, std::uint64_t size)
        : nbd_(std::move(nbd)), size_(size) {}
    std::uint64_t size_bytes() const override { return size_; }
    Result<std::vector<DiskExtent>> extents() override;
    Status read(std::uint64_t offset, MutableByteView into) override;

  private:
    const std::unique_ptr<SandboxedNbd> nbd_;
    const std::uint64_t size_;
};

struct StatusWalk {
    std::uint64_t next = 0;
    std::vector<DiskExtent> data;
};

int take_status(void* user, const char* /*context*/, std::uint64_t offset, std::uint32_t* entries,
                std::size_t count, int* /*error*/) {
    auto& walk = *static_cast<StatusWalk*>(user);
    for (std::size_t i = 0; i + 1 < count; i += 2) {
        if ((entries[i + 1] & LIBNBD_STATE_ZERO) == 0) {
            walk.data.push_back({offset, entries[i]});
        }
        offset += entries[i];
    }
    walk.next = offset;
    return 0;
}

Result<std::vector<DiskExtent>> SandboxedDisk::extents() {
    if (::nbd_can_meta_context(nbd_->handle(), LIBNBD_CONTEXT_BASE_ALLOCATION) <= 0) {
        return std::vector<DiskExtent>{{0, size_}};
    }
    StatusWalk walk;
    while (walk.next < size_) {
        const std::uint64_t from = walk.next;
        const nbd_extent_callback callback{
            .callback = take_status, .user_data = &walk, .free = nullptr};
        if (::nbd_block_status(nbd_->handle(), std::min(kStatusBytes, size_ - from), from, callback,
                               0) != 0) {
            return nbd_error("ask for the disk's extents");
        }
        if (walk.next <= from) {
            return Error(Code::io_error, "the disk's extents do not advance");
        }
    }
    return align_extents(std::move(walk.data), size_);
}

Status SandboxedDisk::read(std::uint64_t offset, MutableByteView into) {
    while (!into.empty()) {
        const std::size_t part = std::min(into.size(), kReadBytes);
        if (::nbd_pread(nbd_->handle(), into.data(), part, offset, 0) != 0) {
            return nbd_error("read the disk");
        }
        offset += part;
        into = into.subspan(part);
    }
    return ok();
}

}  // namespace

Result<std::uint64_t> check_description(std::string_view text, const std::string& format) {
    const json document = json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("virtual-size") ||
        !document["virtual-size"].is_number_unsigned()) {
        return Error(Code::invalid_argument,
                     "qemu-img's description of the disk is not understood");
    }
    for (const char* name : {"backing-filename", "full-backing-filename"}) {
        if (document.contains(name)) {
            return Error(Code::invalid_argument, "the disk is a difference to another one (" +
                                                     document[name].dump() +
                                                     "); merge them first: qemu-img convert");
        }
    }
    if (document.value("encrypted", false)) {
        return Error(Code::invalid_argument, "the disk is encrypted; decrypt it first");
    }
    const json& specific =
        document.value("format-specific", json::object()).value("data", json::object());
    if (specific.contains("data-file")) {
        return Error(Code::invalid_argument,
                     "the disk keeps its data in another file; merge them: qemu-img convert");
    }
    if (format == "vmdk" && specific.contains("extents") && specific["extents"].is_array() &&
        specific["extents"].size() > 1) {
        return Error(Code::invalid_argument,
                     "the disk is split over several files; merge them first: qemu-img convert");
    }
    const auto size = document["virtual-size"].get<std::uint64_t>();
    if (size == 0 || size > kMaxDiskBytes) {
        return Error(Code::invalid_argument, "the disk is empty or larger than 64 TiB");
    }
    return size;
}

Result<std::unique_ptr<DiskSource>> open_sandboxed_disk(const std::string& path,
                                                        const std::string& format) {
    std::error_code error;
    const std::string disk = std::filesystem::canonical(path, error).string();
    if (error) {
        return Error(Code::not_found, "open " + path + ": " + error.message());
    }
    TRY_ASSIGN(const std::uint64_t size, describe(disk, format));
    TRY_ASSIGN(auto nbd, SandboxedNbd::start({{disk, "/disk"}}, {"--read-only", "--persistent",
                                                                 "--format=" + format, "/disk"}));
    if (static_cast<std::uint64_t>(::nbd_get_size(nbd->handle())) != size) {
        return Error(Code::invalid_argument, "the disk has another size than its header says");
    }
    return std::unique_ptr<DiskSource>(std::make_unique<SandboxedDisk>(std::move(nbd), size));
}

}  // namespace kiln::cli
