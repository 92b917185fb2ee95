// SPDX-License-Identifier: Apache-2.0
#include "io/detail/blocking.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "util/fs.h"

namespace kiln::io {
namespace {

const char* name_of(OpKind kind) {
    switch (kind) {
        case OpKind::open:
            return "open";
        case OpKind::close:
            return "close";
        case OpKind::read:
            return "read";
        case OpKind::write:
            return "write";
        case OpKind::sync_data:
            return "fdatasync";
        case OpKind::sync:
            return "fsync";
        case OpKind::punch:
            return "punch hole";
        case OpKind::allocate:
            return "allocate";
        case OpKind::truncate:
            return "truncate";
        case OpKind::size:
            return "stat";
        case OpKind::unlink:
            return "unlink";
        case OpKind::rename:
            return "rename";
        case OpKind::sync_dir:
            return "sync directory";
        case OpKind::list:
            return "list";
    }
    return "?";
}

Result<std::uint64_t> do_open(const Op& op) {
    int flags = O_CLOEXEC | (op.mode.write ? O_RDWR : O_RDONLY);
    flags |= op.mode.create ? O_CREAT : 0;
    flags |= op.mode.truncate ? O_TRUNC : 0;
    int fd = ::open(op.path.c_str(), flags | (op.mode.direct ? O_DIRECT : 0), 0600);
    if (fd < 0 && errno == EINVAL && op.mode.direct) {
        fd = ::open(op.path.c_str(), flags, 0600);  // tmpfs and some others have no direct I/O
    }
    if (fd < 0) {
        return op_error(op, errno);
    }
    return static_cast<std::uint64_t>(fd);
}

Result<std::uint64_t> do_transfer(const Op& op) {
    std::uint64_t moved = 0;
    unsigned refused = 0;
    const int fd = static_cast<int>(op.file.value);
    while (moved < op.length) {
        const auto offset = static_cast<off_t>(op.offset + moved);
        const ssize_t n = op.kind == OpKind::read
                              ? ::pread(fd, op.data + moved, op.length - moved, offset)
                              : ::pwrite(fd, op.data + moved, op.length - moved, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == ENOSPC && op.kind == OpKind::write && ++refused < kFullAttempts) {
            continue;
        }
        if (n < 0) {
            return op_error(op, errno);
        }
        if (n == 0) {
            if (op.kind == OpKind::write) {
                return op_error(op, EIO);
            }
            break;
        }
        moved += static_cast<std::uint64_t>(n);
    }
    return moved;
}

Result<std::uint64_t> do_list(const Op& op) {
    DIR* dir = ::opendir(op.path.c_str());
    if (dir == nullptr) {
        return op_error(op, errno);
    }
    while (const dirent* entry = ::readdir(dir)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") {
            op.names->emplace_back(name);
        }
    }
    ::closedir(dir);
    return op.names->size();
}

// Repeats a call that a signal cut short, as fallocate and ftruncate may be.
template <class Call>
Result<std::uint64_t> checked(const Op& op, Call call) {
    int result = call();
    while (result != 0 && errno == EINTR) {
        result = call();
    }
    if (result != 0) {
        return op_error(op, errno);
    }
    return 0;
}

// Not repeated: after EINTR the descriptor is gone all the same.
Result<std::uint64_t> do_close(const Op& op) {
    if (::close(static_cast<int>(op.file.value)) != 0 && errno != EINTR) {
        return op_error(op, errno);
    }
    return 0;
}

Result<std::uint64_t> do_size(const Op& op) {
    struct stat info {};
    if (::fstat(static_cast<int>(op.file.value), &info) != 0) {
        return op_error(op, errno);
    }
    return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

Error op_error(const Op& op, int err) {
    std::string what = name_of(op.kind);
    if (!op.path.empty()) {
        what += " " + op.path;
    } else {
        what += " " + std::to_string(op.length) + " bytes at " + std::to_string(op.offset);
    }
    if (err == EOPNOTSUPP || err == ENOSYS) {
        return Error(Code::unsupported, what + ": not supported here");
    }
    return Error::from_errno(err, what);
}

Result<std::uint64_t> execute_blocking(const Op& op) {
    const int fd = static_cast<int>(op.file.value);
    const auto offset = static_cast<off_t>(op.offset);
    const auto length = static_cast<off_t>(op.length);
    switch (op.kind) {
        case OpKind::open:
            return do_open(op);
        case OpKind::close:
            return do_close(op);
        case OpKind::read:
        case OpKind::write:
            return do_transfer(op);
        case OpKind::sync_data:
            return checked(op, [&] { return ::fdatasync(fd); });
        case OpKind::sync:
            return checked(op, [&] { return ::fsync(fd); });
        case OpKind::punch:
            return checked(op, [&] {
                return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
            });
        case OpKind::allocate:
            return checked(op, [&] { return ::fallocate(fd, 0, offset, length); });
        case OpKind::truncate:
            return checked(op, [&] { return ::ftruncate(fd, length); });
        case OpKind::size:
            return do_size(op);
        case OpKind::unlink:
            if (::unlink(op.path.c_str()) != 0 && errno != ENOENT) {
                return op_error(op, errno);
            }
            return 0;
        case OpKind::rename:
            return checked(op, [&] { return ::rename(op.path.c_str(), op.new_path.c_str()); });
        case OpKind::sync_dir:
            TRY(sync_directory(op.path));
            return 0;
        case OpKind::list:
            return do_list(op);
    }
    return Error(Code::internal, "unknown disk operation");
}

BlockingPool::BlockingPool(Scheduler& scheduler, std::size_t threads) : scheduler_(scheduler) {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

BlockingPool::~BlockingPool() {
    stop();
}

void BlockingPool::submit(Op op, IoDone done) {
    MutexLock lock(mutex_);
    INVARIANT(!stopping_);
    queue_.push_back(Job{std::move(op), std::move(done)});
    wake_.notify_one();
}

void BlockingPool::stop() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
}

void BlockingPool::run() {
    while (true) {
        Job job;
        {
            MutexLock lock(mutex_);
            while (queue_.empty() && !stopping_) {
                wake_.wait(lock);
            }
            if (queue_.empty()) {
                return;
            }
            job = std::move(queue_.front());
            queue_.pop_front();
        }
        auto result = execute_blocking(job.op);
        scheduler_.post([done = std::move(job.done), result = std::move(result)]() mutable {
            done(std::move(result));
        });
    }
}

}  // namespace kiln::io
