// SPDX-License-Identifier: Apache-2.0
#include "disks/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

extern char** environ;

namespace kiln::disks {
namespace {

constexpr std::size_t kMaxOutput = 1U << 20;

}  // namespace

// Only what the program needs is there.
std::vector<std::string> in_sandbox(const std::vector<SandboxFile>& files,
                                    const std::vector<std::string>& program,
                                    const SandboxLimits& limits) {
    std::vector<std::string> words = {"prlimit", "--as=" + std::to_string(limits.memory_bytes),
                                      "--core=0", "--nofile=64"};
    if (limits.cpu_seconds != 0) {
        words.push_back("--cpu=" + std::to_string(limits.cpu_seconds));
    }
    words.insert(words.end(), {"--",
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
                               "/tmp"});
    for (const SandboxFile& file : files) {
        words.insert(words.end(),
                     {file.writable ? "--bind" : "--ro-bind", file.outside, file.inside});
    }
    words.insert(words.end(), program.begin(), program.end());
    return words;
}

Child::~Child() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

Result<Child> Child::start(const std::vector<std::string>& words, int output, int input) {
    std::vector<char*> argv;
    for (const std::string& word : words) {
        argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    if (input >= 0) {
        ::posix_spawn_file_actions_adddup2(&files, input, 0);
    } else {
        ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    }
    ::posix_spawn_file_actions_adddup2(&files, output, 1);
    ::posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    Child child;
    const int error =
        ::posix_spawnp(&child.pid_, argv[0], &files, &attributes, argv.data(), environ);
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
    if (error != 0) {
        child.pid_ = -1;
        return Error::from_errno(error, "start " + words[0]);
    }
    return child;
}

int Child::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Child::ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
}

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
    while (text.size() <= kMaxOutput) {
        pollfd waiting{fd, POLLIN, 0};
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left());
        if (::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
            return Error(Code::deadline_exceeded, "QEMU's tools took too long over the disk");
        }
        const ssize_t n = ::read(fd, piece, sizeof piece);
        if (n <= 0) {
            return text;
        }
        text.append(piece, static_cast<std::size_t>(n));
    }
    return Error(Code::invalid_argument, "QEMU's tools have too much to say about the disk");
}

Result<std::string> run_in_sandbox(const std::vector<SandboxFile>& files,
                                   const std::vector<std::string>& program, Deadline deadline) {
    TRY_ASSIGN(Pipe pipe, make_pipe());
    TRY_ASSIGN(Child child, Child::start(in_sandbox(files, program), pipe.in.get()));
    pipe.in.reset();
    TRY_ASSIGN(std::string text, read_output(pipe.out.get(), deadline));
    if (const int status = child.wait(); status != 0) {
        return Error(Code::invalid_argument, text);
    }
    return text;
}

}  // namespace kiln::disks
