// SPDX-License-Identifier: Apache-2.0
#include "cli/sandboxed_disk.h"

#include <fcntl.h>
#include <libnbd.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "util/deadline.h"
#include "util/fs.h"

extern char** environ;

namespace kiln::cli {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxDiskBytes = 64ULL << 40;
// qemu-img reads a header; a disk that makes it work longer is not to be trusted.
constexpr std::chrono::seconds kDescribeTime{60};
constexpr std::chrono::seconds kServeTime{30};
constexpr std::size_t kMaxDescription = 1U << 20;
// More than one request of libnbd's; block status answers cover what they can.
constexpr std::uint64_t kStatusBytes = 1ULL << 30;
constexpr std::size_t kReadBytes = 1U << 20;

// The sandbox's command line up to the program. Only what the program needs is there.
std::vector<std::string> sandbox(const std::string& disk, const std::string& shared) {
    std::vector<std::string> words = {"prlimit",
                                      "--as=4294967296",
                                      "--core=0",
                                      "--nofile=64",
                                      "--",
                                      "bwrap",
                                      "--unshare-all",
                                      "--die-with-parent",
                                      "--new-session",
                                      "--cap-drop",
                                      "ALL",
                                      "--clearenv",
                                      "--setenv",
                                      "PATH",
                                      "/usr/bin",
                                      "--ro-bind",
                                      "/usr",
                                      "/usr",
                                      "--symlink",
                                      "usr/lib",
                                      "/lib",
                                      "--symlink",
                                      "usr/lib64",
                                      "/lib64",
                                      "--symlink",
                                      "usr/bin",
                                      "/bin",
                                      "--ro-bind-try",
                                      "/etc/ld.so.cache",
                                      "/etc/ld.so.cache",
                                      "--proc",
                                      "/proc",
                                      "--dev",
                                      "/dev",
                                      "--tmpfs",
                                      "/tmp",
                                      "--ro-bind",
                                      disk,
                                      "/disk"};
    if (!shared.empty()) {
        words.insert(words.end(), {"--bind", shared, "/run/shared"});
    }
    return words;
}

// A child process that ends with this object.
class Child {
  public:
    Child() = default;
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    Child& operator=(Child&&) = delete;
    ~Child() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
    }

    static Result<Child> start(const std::vector<std::string>& words, int output) {
        std::vector<char*> argv;
        for (const std::string& word : words) {
            argv.push_back(const_cast<char*>(word.c_str()));
        }
        argv.push_back(nullptr);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&files, output, 1);
        ::posix_spawn_file_actions_adddup2(&files, output, 2);
        Child child;
        const int error =
            ::posix_spawnp(&child.pid_, argv[0], &files, nullptr, argv.data(), environ);
        ::posix_spawn_file_actions_destroy(&files);
        if (error != 0) {
            child.pid_ = -1;
            return Error::from_errno(error, "start " + words[0]);
        }
        return child;
    }
    // The exit status, once it has ended; 128 + the signal.
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    bool ended() const {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == pid_;
    }

  private:
    pid_t pid_ = -1;
};

struct Pipe {
    UniqueFd out;
    UniqueFd in;
};

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno(errno, "pipe");
    }
    return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Until the other end is closed, the deadline passes or there is too much.
Result<std::string> read_output(int fd, Deadline deadline) {
    std::string text;
    char piece[4096];
    while (text.size() <= kMaxDescription) {
        pollfd waiting{fd, POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left());
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
            return Error(Code::deadline_exceeded, "qemu-img did not describe the disk in time");
        }
        const ssize_t n = ::read(fd, piece, sizeof piece);
        if (n <= 0) {
            return text;
        }
        text.append(piece, static_cast<std::size_t>(n));
    }
    return Error(Code::invalid_argument, "qemu-img has too much to say about the disk");
}

Result<std::uint64_t> describe(const std::string& disk, const std::string& format) {
    TRY_ASSIGN(Pipe pipe, make_pipe());
    std::vector<std::string> words = sandbox(disk, {});
    words.insert(words.end(), {"qemu-img", "info", "--output=json", "-f", format, "/disk"});
    TRY_ASSIGN(Child child, Child::start(words, pipe.in.get()));
    pipe.in.reset();
    TRY_ASSIGN(const std::string text, read_output(pipe.out.get(), Deadline::after(kDescribeTime)));
    if (const int status = child.wait(); status != 0) {
        return Error(Code::invalid_argument,
                     "the file is no " + format + " disk that can be read: " + text);
    }
    return check_description(text, format);
}

Error nbd_error(const std::string& what) {
    const char* why = ::nbd_get_error();
    return Error(Code::io_error, what + ": " + (why != nullptr ? why : "unknown"));
}

struct CloseNbd {
    void operator()(nbd_handle* handle) const { ::nbd_close(handle); }
};

class SandboxedDisk final : public DiskSource {
  public:
    SandboxedDisk(std::string directory, std::uint64_t size)
        : directory_(std::move(directory)), size_(size) {}
    ~SandboxedDisk() override {
        nbd_.reset();
        server_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    Status open(const std::string& disk, const std::string& format);
    std::uint64_t size_bytes() const override { return size_; }
    Result<std::vector<DiskExtent>> extents() override;
    Status read(std::uint64_t offset, MutableByteView into) override;

  private:
    Status wait_for_socket(const std::string& socket, int output);

    const std::string directory_;
    const std::uint64_t size_;
    std::unique_ptr<Child> server_;
    std::unique_ptr<nbd_handle, CloseNbd> nbd_;
};

Status SandboxedDisk::wait_for_socket(const std::string& socket, int output) {
    const Deadline deadline = Deadline::after(kServeTime);
    while (::access(socket.c_str(), F_OK) != 0) {
        if (server_->ended()) {
            TRY_ASSIGN(const std::string words, read_output(output, Deadline::after(kServeTime)));
            return Error(Code::invalid_argument, "the disk cannot be read: " + words);
        }
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, "qemu-nbd did not open the disk in time");
        }
        ::poll(nullptr, 0, 5);  // the socket's file is the only sign there is
    }
    return ok();
}

Status SandboxedDisk::open(const std::string& disk, const std::string& format) {
    TRY_ASSIGN(Pipe pipe, make_pipe());
    std::vector<std::string> words = sandbox(disk, directory_);
    words.insert(words.end(), {"qemu-nbd", "--read-only", "--persistent", "--format=" + format,
                               "--socket=/run/shared/nbd.sock", "/disk"});
    TRY_ASSIGN(Child child, Child::start(words, pipe.in.get()));
    server_ = std::make_unique<Child>(std::move(child));
    pipe.in.reset();
    const std::string socket = directory_ + "/nbd.sock";
    TRY(wait_for_socket(socket, pipe.out.get()));
    nbd_.reset(::nbd_create());
    if (!nbd_ || ::nbd_add_meta_context(nbd_.get(), LIBNBD_CONTEXT_BASE_ALLOCATION) != 0 ||
        ::nbd_connect_unix(nbd_.get(), socket.c_str()) != 0) {
        return nbd_error("open the disk");
    }
    if (static_cast<std::uint64_t>(::nbd_get_size(nbd_.get())) != size_) {
        return Error(Code::invalid_argument, "the disk has another size than its header says");
    }
    return ok();
}

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
    if (::nbd_can_meta_context(nbd_.get(), LIBNBD_CONTEXT_BASE_ALLOCATION) <= 0) {
        return std::vector<DiskExtent>{{0, size_}};
    }
    StatusWalk walk;
    while (walk.next < size_) {
        const std::uint64_t from = walk.next;
        const nbd_extent_callback callback{
            .callback = take_status, .user_data = &walk, .free = nullptr};
        if (::nbd_block_status(nbd_.get(), std::min(kStatusBytes, size_ - from), from, callback,
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
        if (::nbd_pread(nbd_.get(), into.data(), part, offset, 0) != 0) {
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
    std::string directory = std::filesystem::temp_directory_path(error).string() + "/kiln-XXXXXX";
    if (error || ::mkdtemp(directory.data()) == nullptr) {
        return Error::from_errno(errno, "make a temporary directory");
    }
    auto opened = std::make_unique<SandboxedDisk>(directory, size);
    TRY(opened->open(disk, format));
    return std::unique_ptr<DiskSource>(std::move(opened));
}

}  // namespace kiln::cli
