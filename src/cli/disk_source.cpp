// SPDX-License-Identifier: Apache-2.0
#include "cli/disk_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cli/sandboxed_disk.h"
#include "net/extent_stream.h"
#include "util/fs.h"

namespace kiln::cli {
namespace {

constexpr std::array<std::string_view, 5> kFormats{"raw", "qcow2", "vmdk", "vpc", "vhdx"};
constexpr std::size_t kMarkBytes = 512;

Status read_fully(int fd, std::uint64_t offset, MutableByteView into) {
    while (!into.empty()) {
        const ssize_t n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "read the disk");
        }
        if (n == 0) {
            return Error(Code::failed_precondition, "the disk became shorter while it was read");
        }
        offset += static_cast<std::uint64_t>(n);
        into = into.subspan(static_cast<std::size_t>(n));
    }
    return ok();
}

struct OpenFile {
    UniqueFd fd;
    std::uint64_t size = 0;
};

Result<OpenFile> open_regular(const std::string& path) {
    OpenFile file;
    file.fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file.fd || ::fstat(file.fd.get(), &info) != 0) {
        return Error::from_errno(errno, "open " + path);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error(Code::invalid_argument, path + " is not a regular file");
    }
    file.size = static_cast<std::uint64_t>(info.st_size);
    return file;
}

class RawDisk final : public DiskSource {
  public:
    explicit RawDisk(OpenFile file) : file_(std::move(file)) {}
    std::uint64_t size_bytes() const override { return file_.size; }
    Result<std::vector<DiskExtent>> extents() override;
    Status read(std::uint64_t offset, MutableByteView into) override {
        return read_fully(file_.fd.get(), offset, into);
    }

  private:
    OpenFile file_;
};

Result<std::vector<DiskExtent>> RawDisk::extents() {
    std::vector<DiskExtent> found;
    std::uint64_t at = 0;
    while (at < file_.size) {
        const off_t data = ::lseek(file_.fd.get(), static_cast<off_t>(at), SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // nothing but a hole up to the end
        }
        if (data < 0) {
            return Error::from_errno(errno, "look for data");
        }
        const off_t hole = ::lseek(file_.fd.get(), data, SEEK_HOLE);
        if (hole <= data) {
            return Error::from_errno(errno, "look for holes");
        }
        at = static_cast<std::uint64_t>(hole);
        found.push_back({static_cast<std::uint64_t>(data), at - static_cast<std::uint64_t>(data)});
    }
    return align_extents(std::move(found), file_.size);
}

}  // namespace

std::vector<DiskExtent> align_extents(std::vector<DiskExtent> extents, std::uint64_t size_bytes) {
    constexpr std::uint64_t kAlign = net::kExtentAlignment;
    std::vector<DiskExtent> out;
    for (const DiskExtent& extent : extents) {
        const std::uint64_t begin = extent.offset / kAlign * kAlign;
        const std::uint64_t end =
            std::min((extent.offset + extent.length + kAlign - 1) / kAlign * kAlign, size_bytes);
        if (!out.empty() && begin <= out.back().offset + out.back().length) {
            out.back().length = std::max(out.back().length, end - out.back().offset);
        } else {
            out.push_back({begin, end - begin});
        }
    }
    return out;
}

Result<std::string> detect_format(const std::string& path) {
    TRY_ASSIGN(const OpenFile file, open_regular(path));
    Bytes head(std::min<std::uint64_t>(kMarkBytes, file.size));
    Bytes tail(head.size());
    TRY(read_fully(file.fd.get(), 0, head));
    TRY(read_fully(file.fd.get(), file.size - tail.size(), tail));
    const std::string_view first = as_text(head);
    if (first.starts_with(std::string_view("QFI\xfb", 4))) {
        return std::string("qcow2");
    }
    if (first.starts_with("KDMV") || first.starts_with("# Disk DescriptorFile")) {
        return std::string("vmdk");
    }
    if (first.starts_with("vhdxfile")) {
        return std::string("vhdx");
    }
    if (first.starts_with("conectix") || as_text(tail).starts_with("conectix")) {
        return std::string("vpc");
    }
    return std::string("raw");
}

Result<std::unique_ptr<DiskSource>> open_disk(const std::string& path, const std::string& format) {
    std::string chosen = format;
    if (chosen.empty()) {
        TRY_ASSIGN(chosen, detect_format(path));
    }
    if (std::find(kFormats.begin(), kFormats.end(), chosen) == kFormats.end()) {
        return Error(Code::invalid_argument,
                     "--format takes raw, qcow2, vmdk, vpc (VHD) or vhdx, not '" + chosen + "'");
    }
    TRY_ASSIGN(OpenFile file, open_regular(path));
    if (chosen != "raw") {
        return open_sandboxed_disk(path, chosen);
    }
    return std::unique_ptr<DiskSource>(std::make_unique<RawDisk>(std::move(file)));
}

}  // namespace kiln::cli
