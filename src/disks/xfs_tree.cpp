// SPDX-License-Identifier: Apache-2.0
// XFS through libfsxfs, whose I/O goes through our own libbfio handle.
#include <libbfio.h>
#include <libfsxfs.h>

#include <algorithm>
#include <cstdio>

#include "disks/file_tree.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxLink = 4096;
constexpr std::uint16_t kTypeMask = 0170000;

struct Source {
    std::uint64_t size_bytes = 0;
    ReadAt read;
    std::uint64_t at = 0;
};

Source& source_of(intptr_t* handle) {
    return *reinterpret_cast<Source*>(handle);
}

// The source is the tree's; the handle only points at it.
int free_source(intptr_t** handle, libbfio_error_t** /*error*/) {
    *handle = nullptr;
    return 1;
}
int clone_source(intptr_t** to, intptr_t* from, libbfio_error_t** /*error*/) {
    *to = from;
    return 1;
}
int open_source(intptr_t* /*handle*/, int flags, libbfio_error_t** /*error*/) {
    return (flags & LIBBFIO_ACCESS_FLAG_WRITE) == 0 ? 1 : -1;
}
int close_source(intptr_t* /*handle*/, libbfio_error_t** /*error*/) {
    return 0;
}
ssize_t read_source(intptr_t* handle, std::uint8_t* into, std::size_t size,
                    libbfio_error_t** /*error*/) {
    Source& source = source_of(handle);
    const auto part =
        static_cast<std::size_t>(std::min<std::uint64_t>(size, source.size_bytes - source.at));
    if (!source.read(source.at, MutableByteView(into, part))) {
        return -1;
    }
    source.at += part;
    return static_cast<ssize_t>(part);
}
ssize_t write_source(intptr_t* /*handle*/, const std::uint8_t* /*from*/, std::size_t /*size*/,
                     libbfio_error_t** /*error*/) {
    return -1;
}
off64_t seek_source(intptr_t* handle, off64_t offset, int whence, libbfio_error_t** /*error*/) {
    Source& source = source_of(handle);
    if (whence != SEEK_SET || offset < 0 ||
        static_cast<std::uint64_t>(offset) > source.size_bytes) {
        return -1;
    }
    source.at = static_cast<std::uint64_t>(offset);
    return offset;
}
int source_exists(intptr_t* /*handle*/, libbfio_error_t** /*error*/) {
    return 1;
}
int source_size(intptr_t* handle, size64_t* size, libbfio_error_t** /*error*/) {
    *size = source_of(handle).size_bytes;
    return 1;
}

// What a call of the library says besides its answer; freed in the end.
class Failure {
  public:
    Failure() = default;
    ~Failure() { ::libfsxfs_error_free(&error_); }
    Failure(const Failure&) = delete;
    Failure& operator=(const Failure&) = delete;
    libfsxfs_error_t** to() { return &error_; }
    Error says(const std::string& what) const {
        char text[256] = "";
        if (error_ != nullptr) {
            ::libfsxfs_error_sprint(error_, text, sizeof text);
        }
        return Error(Code::io_error, what + ": " + text);
    }

  private:
    libfsxfs_error_t* error_ = nullptr;
};

struct FreeEntry {
    void operator()(libfsxfs_file_entry_t* entry) const {
        ::libfsxfs_file_entry_free(&entry, nullptr);
    }
};
using Entry = std::unique_ptr<libfsxfs_file_entry_t, FreeEntry>;

class XfsTree final : public FileTree {
  public:
    XfsTree(std::uint64_t size_bytes, ReadAt read) : source_{size_bytes, std::move(read), 0} {}
    ~XfsTree() override {
        ::libfsxfs_volume_free(&volume_, nullptr);
        ::libbfio_handle_free(&handle_, nullptr);
    }
    XfsTree(const XfsTree&) = delete;
    XfsTree& operator=(const XfsTree&) = delete;

    Status open() {
        Failure failure;
        if (::libbfio_handle_initialize(&handle_, reinterpret_cast<intptr_t*>(&source_),
                                        free_source, clone_source, open_source, close_source,
                                        read_source, write_source, seek_source, source_exists,
                                        source_exists, source_size,
                                        LIBBFIO_FLAG_IO_HANDLE_NON_MANAGED, failure.to()) != 1 ||
            ::libfsxfs_volume_initialize(&volume_, failure.to()) != 1 ||
            ::libfsxfs_volume_open_file_io_handle(volume_, handle_, LIBFSXFS_OPEN_READ,
                                                  failure.to()) != 1) {
            return failure.says("open");
        }
        return ok();
    }

    Result<NodeKind> kind(const std::string& path) override {
        TRY_ASSIGN(const Entry entry, find(path));
        return entry ? kind_of(*entry) : Result<NodeKind>(NodeKind::none);
    }

    Result<std::string> read(const std::string& path, std::size_t limit) override {
        TRY_ASSIGN(const Entry entry, find(path, NodeKind::file));
        Failure failure;
        size64_t size = 0;
        if (::libfsxfs_file_entry_get_size(entry.get(), &size, failure.to()) != 1) {
            return failure.says("read " + path);
        }
        std::string bytes(std::min<std::uint64_t>(size, limit), '\0');
        for (std::size_t done = 0; done < bytes.size();) {
            const ssize_t n = ::libfsxfs_file_entry_read_buffer_at_offset(
                entry.get(), &bytes[done], bytes.size() - done, static_cast<off64_t>(done),
                failure.to());
            if (n <= 0 || static_cast<std::size_t>(n) > bytes.size() - done) {
                return failure.says("read " + path);
            }
            done += static_cast<std::size_t>(n);
        }
        return bytes;
    }

    Result<std::string> link_target(const std::string& path) override {
        TRY_ASSIGN(const Entry entry, find(path, NodeKind::symlink));
        Failure failure;
        std::size_t size = 0;
        if (::libfsxfs_file_entry_get_utf8_symbolic_link_target_size(entry.get(), &size,
                                                                     failure.to()) != 1 ||
            size > kMaxLink) {
            return failure.says("read the link " + path);
        }
        std::string target(size, '\0');  // with a NUL at its end
        if (::libfsxfs_file_entry_get_utf8_symbolic_link_target(
                entry.get(), reinterpret_cast<std::uint8_t*>(target.data()), size, failure.to()) !=
            1) {
            return failure.says("read the link " + path);
        }
        target.resize(std::min(target.size(), target.find('\0')));
        return target;
    }

  private:
    static Result<NodeKind> kind_of(libfsxfs_file_entry_t& entry) {
        Failure failure;
        std::uint16_t mode = 0;
        if (::libfsxfs_file_entry_get_file_mode(&entry, &mode, failure.to()) != 1) {
            return failure.says("read a mode");
        }
        switch (mode & kTypeMask) {
            case 0100000:
                return NodeKind::file;
            case 0040000:
                return NodeKind::directory;
            case 0120000:
                return NodeKind::symlink;
            default:
                return NodeKind::other;
        }
    }

    // Null where nothing is.
    Result<Entry> find(const std::string& path) {
        Failure failure;
        libfsxfs_file_entry_t* found = nullptr;
        const int answer = ::libfsxfs_volume_get_file_entry_by_utf8_path(
            volume_, reinterpret_cast<const std::uint8_t*>(path.data()), path.size(), &found,
            failure.to());
        Entry entry(found);
        if (answer < 0) {
            return failure.says("look for " + path);
        }
        return entry;
    }
    Result<Entry> find(const std::string& path, NodeKind wanted) {
        TRY_ASSIGN(Entry entry, find(path));
        if (!entry) {
            return Error(Code::not_found, path + " is not there");
        }
        TRY_ASSIGN(const NodeKind kind, kind_of(*entry));
        if (kind != wanted) {
            return Error(Code::not_found, path + " is something else");
        }
        return entry;
    }

    Source source_;
    libbfio_handle_t* handle_ = nullptr;
    libfsxfs_volume_t* volume_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_xfs(std::uint64_t size_bytes, ReadAt read) {
    auto tree = std::make_unique<XfsTree>(size_bytes, std::move(read));
    TRY(tree->open());
    return std::unique_ptr<FileTree>(std::move(tree));
}

}  // namespace kiln::disks
