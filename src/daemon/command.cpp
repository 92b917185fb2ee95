// SPDX-License-Identifier: Apache-2.0
#include "daemon/command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "util/strings.h"

namespace kiln::daemon {
namespace {

bool is_program(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

// Each would take clients to another account, profile or service than ours.
bool leads_elsewhere(std::string_view variable) {
    constexpr std::array<std::string_view, 17> kNames = {
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    };
    const std::string_view name = variable.substr(0, variable.find('='));
    return name.starts_with("AWS_ENDPOINT_URL_") || std::ranges::count(kNames, name) != 0;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));  // execve() takes them so
    }
    out.push_back(nullptr);
    return out;
}

// Between fork and exec: nothing but async-signal-safe calls.
[[noreturn]] void execute(const char* program, char* const* args, char* const* environment,
                          pid_t parent, int status_pipe) {
    for (int signal = 1; signal < NSIG; ++signal) {
        ::signal(signal, SIG_DFL);  // fails for SIGKILL and SIGSTOP, which is fine
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && ::getppid() == parent) {
        ::execve(program, args, environment);
    }
    const int error = errno;
    const ssize_t told = ::write(status_pipe, &error, sizeof error);
    ::syscall(SYS_exit_group, told == sizeof error ? kCommandNotExecutable : 1);
    __builtin_unreachable();
}

}  // namespace

Result<std::string> find_command(const std::string& name) {
    const auto refuse = [&name](const std::string& path) -> Error {
        return ::access(path.c_str(), F_OK) == 0
                   ? Error(Code::permission_denied, name + " cannot be executed")
                   : Error(Code::not_found, name + ": command not found");
    };
    if (name.find('/') != std::string::npos) {
        return is_program(name) ? Result<std::string>(name) : refuse(name);
    }
    const char* path = std::getenv("PATH");
    std::string unfit;
    for (const std::string_view folder : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
        std::string candidate = std::string(folder.empty() ? "." : folder) + "/" + name;
        if (is_program(candidate)) {
            return candidate;
        }
        if (unfit.empty() && ::access(candidate.c_str(), F_OK) == 0) {
            unfit = candidate;
        }
    }
    return refuse(unfit);
}

std::vector<std::string> command_environment(const std::vector<std::string>& inherited,
                                             const CommandEnvironment& own) {
    std::vector<std::string> out;
    for (const std::string& variable : inherited) {
        if (!leads_elsewhere(variable)) {
            out.push_back(variable);
        }
    }
    out.push_back("AWS_ENDPOINT_URL=" + own.endpoint_url);
    out.push_back("AWS_ACCESS_KEY_ID=" + own.access_key);
    out.push_back("AWS_SECRET_ACCESS_KEY=" + own.secret_key);
    out.push_back("AWS_REGION=" + own.region);
    out.push_back("AWS_DEFAULT_REGION=" + own.region);
    // The caller's own files could name another endpoint.
    out.push_back("AWS_CONFIG_FILE=" + own.data_directory + "/config");
    out.push_back("AWS_SHARED_CREDENTIALS_FILE=" + own.data_directory + "/credentials");
    out.push_back("AWS_EC2_METADATA_DISABLED=true");
    return out;
}

Result<Command> Command::start(const std::string& program, const std::vector<std::string>& words,
                               const std::vector<std::string>& environment) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno(errno, "pipe2");
    }
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const std::vector<char*> args = pointers(words);
    const std::vector<char*> variables = pointers(environment);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return Error::from_errno(errno, "fork");
    }
    if (pid == 0) {
        execute(program.c_str(), args.data(), variables.data(), parent, writing.get());
    }
    writing.reset();
    int failure = 0;
    if (::read(reading.get(), &failure, sizeof failure) == sizeof failure) {
        ::waitpid(pid, nullptr, 0);
        return Error::from_errno(failure, "execute " + program);
    }
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd) {
        const int error = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return Error::from_errno(error, "pidfd_open");
    }
    return Command(pid, std::move(pidfd));
}

void Command::send(int signal) const {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0);
}

int Command::take_exit_code() const {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) {
        return 1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace kiln::daemon
