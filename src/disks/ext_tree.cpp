// SPDX-License-Identifier: Apache-2.0
// ext2, ext3 and ext4 through libext2fs, whose I/O goes through our own io_manager.
#include <ext2fs/ext2fs.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "disks/file_tree.h"
#include "util/strings.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxLink = 4096;  // as Linux has it

struct Source {
    std::uint64_t size_bytes = 0;
    ReadAt read;
    struct_io_manager manager{};
};

errcode_t close_channel(io_channel channel) {
    if (--channel->refcount > 0) {
        return 0;
    }
    std::free(channel->name);
    delete channel;
    return 0;
}

errcode_t set_block_size(io_channel channel, int size) {
    channel->block_size = size;
    return 0;
}

// A negative count is one of bytes.
errcode_t read_blocks(io_channel channel, unsigned long long block, int count, void* data) {
    const auto& source = *static_cast<const Source*>(channel->private_data);
    const auto block_size = static_cast<std::uint64_t>(channel->block_size);
    const std::uint64_t length = count < 0
                                     ? static_cast<std::uint64_t>(-static_cast<std::int64_t>(count))
                                     : static_cast<std::uint64_t>(count) * block_size;
    if (block_size == 0 || block > source.size_bytes / block_size) {
        return EXT2_ET_SHORT_READ;
    }
    const std::uint64_t offset = block * block_size;
    if (length > source.size_bytes - offset) {
        return EXT2_ET_SHORT_READ;
    }
    const MutableByteView into(static_cast<std::uint8_t*>(data), length);
    return source.read(offset, into) ? 0 : EXT2_ET_SHORT_READ;
}

errcode_t read_blocks_32(io_channel channel, unsigned long block, int count, void* data) {
    return read_blocks(channel, block, count, data);
}

errcode_t write_nothing(io_channel /*channel*/, unsigned long /*block*/, int /*count*/,
                        const void* /*data*/) {
    return EXT2_ET_RO_FILSYS;
}

errcode_t flush_nothing(io_channel /*channel*/) {
    return 0;
}

// The library gives an io_manager nothing but the file system's name: ours is the address of the
// source, in decimal digits.
errcode_t open_channel(const char* name, int /*flags*/, io_channel* channel) {
    const auto address = parse_int<std::uintptr_t>(name);
    if (!address) {
        return EXT2_ET_BAD_DEVICE_NAME;
    }
    auto* source = reinterpret_cast<Source*>(*address);
    auto made = std::make_unique<struct_io_channel>();
    std::memset(made.get(), 0, sizeof *made);
    made->magic = EXT2_ET_MAGIC_IO_CHANNEL;
    made->manager = &source->manager;
    made->name = ::strdup(name);
    made->block_size = 1024;
    made->refcount = 1;
    made->private_data = source;
    *channel = made.release();
    return 0;
}

struct_io_manager make_manager() {
    struct_io_manager manager{};
    manager.magic = EXT2_ET_MAGIC_IO_MANAGER;
    manager.name = "kiln";
    manager.open = open_channel;
    manager.close = close_channel;
    manager.set_blksize = set_block_size;
    manager.read_blk = read_blocks_32;
    manager.write_blk = write_nothing;
    manager.flush = flush_nothing;
    manager.read_blk64 = read_blocks;
    return manager;
}

class ExtTree final : public FileTree {
  public:
    ExtTree(std::uint64_t size_bytes, ReadAt read)
        : source_{size_bytes, std::move(read), make_manager()} {}
    ~ExtTree() override {
        if (fs_ != nullptr) {
            ::ext2fs_free(fs_);
        }
    }
    ExtTree(const ExtTree&) = delete;
    ExtTree& operator=(const ExtTree&) = delete;

    Status open() {
        const std::string name = std::to_string(reinterpret_cast<std::uintptr_t>(&source_));
        // A file system that was copied while it was mounted is as good here as any other.
        const int flags =
            EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES | EXT2_FLAG_IGNORE_CSUM_ERRORS;
        const errcode_t error = ::ext2fs_open(name.c_str(), flags, 0, 0, &source_.manager, &fs_);
        if (error != 0) {
            return failed("open", error);
        }
        return ok();
    }

    Result<NodeKind> kind(const std::string& path) override {
        TRY_ASSIGN(const auto found, find(path));
        if (found.number == 0) {
            return NodeKind::none;
        }
        if (LINUX_S_ISDIR(found.inode.i_mode)) {
            return NodeKind::directory;
        }
        if (LINUX_S_ISLNK(found.inode.i_mode)) {
            return NodeKind::symlink;
        }
        return LINUX_S_ISREG(found.inode.i_mode) ? NodeKind::file : NodeKind::other;
    }

    Result<std::string> read(const std::string& path, std::size_t limit) override {
        TRY_ASSIGN(auto found, find(path));
        if (found.number == 0 || !LINUX_S_ISREG(found.inode.i_mode)) {
            return Error(Code::not_found, path + " is no file");
        }
        return content(found, limit);
    }

    Result<std::string> link_target(const std::string& path) override {
        TRY_ASSIGN(auto found, find(path));
        if (found.number == 0 || !LINUX_S_ISLNK(found.inode.i_mode)) {
            return Error(Code::not_found, path + " is no link");
        }
        if (::ext2fs_is_fast_symlink(&found.inode) != 0) {
            const auto length =
                std::min<std::size_t>(EXT2_I_SIZE(&found.inode), sizeof found.inode.i_block);
            return std::string(reinterpret_cast<const char*>(found.inode.i_block), length);
        }
        return content(found, kMaxLink);
    }

  private:
    struct Found {
        ext2_ino_t number = 0;  // 0: not there
        ext2_inode inode{};
    };

    static Error failed(const std::string& what, errcode_t error) {
        return Error(Code::io_error,
                     what + ": libext2fs error " + std::to_string(static_cast<long>(error)));
    }

    Result<Found> find(const std::string& path) {
        Found found{EXT2_ROOT_INO, {}};
        TRY(load(found));
        for (const std::string_view name : split(path, '/')) {
            if (name.empty()) {
                continue;
            }
            if (!LINUX_S_ISDIR(found.inode.i_mode)) {
                return Found{};
            }
            const ext2_ino_t directory = found.number;
            const errcode_t error =
                ::ext2fs_lookup(fs_, directory, std::string(name).c_str(),
                                static_cast<int>(name.size()), nullptr, &found.number);
            if (error == EXT2_ET_FILE_NOT_FOUND) {
                return Found{};
            }
            if (error != 0) {
                return failed("look for " + path, error);
            }
            TRY(load(found));
        }
        return found;
    }

    Status load(Found& found) {
        const errcode_t error = ::ext2fs_read_inode(fs_, found.number, &found.inode);
        if (error != 0) {
            return failed("read an inode", error);
        }
        return ok();
    }

    Result<std::string> content(Found& found, std::size_t limit) {
        ext2_file_t file = nullptr;
        errcode_t error = ::ext2fs_file_open2(fs_, found.number, &found.inode, 0, &file);
        if (error != 0) {
            return failed("open a file", error);
        }
        std::string bytes(limit, '\0');
        unsigned got = 0;
        error = ::ext2fs_file_read(file, bytes.data(), static_cast<unsigned>(limit), &got);
        ::ext2fs_file_close(file);
        if (error != 0) {
            return failed("read a file", error);
        }
        bytes.resize(std::min<std::size_t>(got, limit));
        return bytes;
    }

    Source source_;
    ext2_filsys fs_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_ext(std::uint64_t size_bytes, ReadAt read) {
    auto tree = std::make_unique<ExtTree>(size_bytes, std::move(read));
    TRY(tree->open());
    return std::unique_ptr<FileTree>(std::move(tree));
}

}  // namespace kiln::disks
