// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "cli/interrupt_guard.h"
#include "cli/print.h"
#include "daemon/store_directory.h"
#include "net/backup_stream.h"
#include "util/fs.h"

namespace kiln::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBytes = 1U << 20;
constexpr char kCatalog[] = "catalog.sqlite";
// DIR.restoring-XXXXXX is what becomes DIR.
constexpr std::string_view kMiddle = ".restoring-";
constexpr std::string_view kRandom = "XXXXXX";

// Who the directory belongs to that a package or an administrator has prepared.
struct Owner {
    uid_t user;
    gid_t group;
};

Error not_empty(const std::string& directory) {
    if (const Status unused = check_unused(directory); !unused) {
        return Error(unused.error().code(),
                     unused.error().message() +
                         ". Restore into another directory and start a service on that, or stop "
                         "this one and move its directory away first");
    }
    if (::access((directory + "/" + kCatalog).c_str(), F_OK) == 0) {
        return Error(Code::already_exists,
                     directory +
                         " holds a store. Restore into another directory, or move this one away, "
                         "or empty it: kiln reset --data " +
                         directory);
    }
    return Error(Code::already_exists, directory + " is not empty");
}

// It cannot be replaced by a directory that was made beside it.
Error mount_point(const std::string& directory) {
    return Error(Code::failed_precondition,
                 directory +
                     " is where a file system is mounted. Restore into a directory below "
                     "it, as " +
                     directory + "/data");
}

Result<std::optional<Owner>> check_target(const std::string& directory) {
    struct stat info {};
    if (::lstat(directory.c_str(), &info) != 0) {
        return errno == ENOENT ? Result<std::optional<Owner>>(std::nullopt)
                               : Error::from_errno(errno, "look at " + directory);
    }
    if (!S_ISDIR(info.st_mode)) {
        return Error(Code::already_exists, directory + " is no directory");
    }
    std::error_code error;
    const bool empty = fs::is_empty(directory, error);
    if (error) {
        return Error(Code::permission_denied, "look at " + directory + ": " + error.message());
    }
    if (!empty) {
        return not_empty(directory);
    }
    struct stat parent {};
    if (::stat(fs::path(directory).parent_path().c_str(), &parent) == 0 &&
        parent.st_dev != info.st_dev) {
        return mount_point(directory);
    }
    return std::optional<Owner>(Owner{info.st_uid, info.st_gid});
}

// A restore that was killed leaves its directory, which nobody has locked any more.
void remove_leftovers(const std::string& directory) {
    const std::string begin = fs::path(directory).filename().string().append(kMiddle);
    std::error_code error;
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(fs::path(directory).parent_path(), error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(begin) && name.size() == begin.size() + kRandom.size()) {
            found.push_back(entry.path());
        }
    }
    for (const fs::path& path : found) {
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
            fs::remove_all(path, error);
        }
    }
}

// Writes the files below a directory that nobody else knows.
class FileSink final : public net::BackupDecoder::Sink {
  public:
    FileSink(std::string directory, std::optional<Owner> owner)
        : directory_(std::move(directory)), owner_(owner) {}

    Status file(const std::string& path, std::uint64_t size_bytes) override;
    Status data(std::uint64_t offset, ByteView bytes) override;
    Status finish();

  private:
    Status close();
    Status make_folders(const std::string& path);
    Status own(int fd) const {
        const bool fine = !owner_ || ::fchown(fd, owner_->user, owner_->group) == 0;
        return fine ? ok() : Status(Error::from_errno(errno, "chown below " + directory_));
    }

    const std::string directory_;
    const std::optional<Owner> owner_;
    UniqueFd fd_;
    bool catalog_ = false;
};

Status FileSink::make_folders(const std::string& path) {
    for (auto at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
        const std::string folder = directory_ + "/" + path.substr(0, at);
        if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
            return Error::from_errno(errno, "make " + folder);
        }
    }
    return ok();
}

Status FileSink::file(const std::string& path, std::uint64_t size_bytes) {
    TRY(close());
    TRY(make_folders(path));
    const std::string whole = directory_ + "/" + path;
    fd_.reset(::open(whole.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd_ || ::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) {
        return Error::from_errno(errno, "make " + whole);
    }
    catalog_ = catalog_ || path == kCatalog;
    return own(fd_.get());
}

Status FileSink::data(std::uint64_t offset, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t n =
            ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "write below " + directory_);
        }
        offset += static_cast<std::uint64_t>(n);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return ok();
}

Status FileSink::close() {
    if (fd_ && ::fsync(fd_.get()) != 0) {
        return Error::from_errno(errno, "write below " + directory_);
    }
    fd_.reset();
    return ok();
}

Status FileSink::finish() {
    TRY(close());
    if (!catalog_) {
        return Error(Code::data_loss, "the backup is damaged: it has no catalog");
    }
    TRY_ASSIGN(const UniqueFd lock, lock_store(directory_));  // a store has one
    TRY(own(lock.get()));
    std::error_code error;
    std::vector<std::string> folders = {directory_};
    fs::recursive_directory_iterator entry(directory_, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
        if (entry->is_directory(error)) {
            folders.push_back(entry->path().string());
        }
    }
    if (error) {
        return Error(Code::io_error, "list " + directory_ + ": " + error.message());
    }
    for (const std::string& folder : folders) {
        const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        TRY(own(fd.get()));
        TRY(sync_directory(folder));
    }
    return ok();
}

Status unpack(const std::string& file, FileSink& sink) {
    UniqueFd opened;
    int fd = STDIN_FILENO;
    if (file != "-") {
        opened.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
        fd = opened.get();
        if (!opened) {
            return Error::from_errno(errno, "open " + file);
        }
    }
    net::BackupDecoder decoder;
    Bytes piece(kReadBytes);
    while (true) {
        const ssize_t n = ::read(fd, piece.data(), piece.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error::from_errno(errno, "read " + file);
        }
        if (n == 0) {
            break;
        }
        TRY(decoder.feed(ByteView(piece).first(static_cast<std::size_t>(n)), sink));
    }
    TRY(decoder.finish());
    return sink.finish();
}

// Removed unless it became the directory.
class Temporary {
  public:
    static Result<std::unique_ptr<Temporary>> create(const std::string& directory,
                                                     cli::InterruptGuard& guard) {
        std::string path = fmt::format("{}{}{}", directory, kMiddle, kRandom);
        if (::mkdtemp(path.data()) == nullptr) {
            return Error::from_errno(errno, "make " + path);
        }
        std::unique_ptr<Temporary> made(new Temporary(std::move(path), guard));
        made->lock_.reset(::open(made->path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!made->lock_ || ::flock(made->lock_.get(), LOCK_EX | LOCK_NB) != 0) {
            return Error::from_errno(errno, "lock " + made->path_);
        }
        return made;
    }
    ~Temporary() {
        if (!kept_) {
            std::error_code ignored;
            fs::remove_all(path_, ignored);
        }
        guard_.remove(path_);
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;

    const std::string& path() const { return path_; }
    // Fails when somebody has put something into the directory meanwhile.
    Status become(const std::string& directory) {
        if (::rename(path_.c_str(), directory.c_str()) != 0) {
            return errno == EBUSY ? mount_point(directory)
                                  : Error::from_errno(errno, "make " + directory);
        }
        kept_ = true;
        return sync_directory(fs::path(directory).parent_path().string());
    }

  private:
    Temporary(std::string path, cli::InterruptGuard& guard)
        : path_(std::move(path)), guard_(guard) {
        guard_.add(path_);
    }
    const std::string path_;
    cli::InterruptGuard& guard_;
    UniqueFd lock_;  // tells it from one that was left behind
    bool kept_ = false;
};

Status restore(const std::string& file, const std::string& directory) {
    TRY_ASSIGN(auto owner, check_target(directory));
    if (::geteuid() != 0) {
        owner.reset();
    }
    cli::InterruptGuard guard;
    TRY(make_directories(fs::path(directory).parent_path().string()));
    remove_leftovers(directory);
    TRY_ASSIGN(const auto temporary, Temporary::create(directory, guard));
    FileSink sink(temporary->path(), owner);
    TRY(unpack(file, sink));
    return temporary->become(directory);
}

}  // namespace

int run_restore(const std::string& file, const std::string& data_directory) {
    std::error_code error;
    std::string directory = fs::absolute(data_directory, error).lexically_normal().string();
    while (directory.size() > 1 && directory.ends_with('/')) {
        directory.pop_back();
    }
    if (const Status restored = restore(file, directory); !restored) {
        return cli::fail(restored.error());
    }
    fmt::print("restored into {}\nstart it: kiln serve --data {}\n", directory, directory);
    return 0;
}

}  // namespace kiln::daemon
