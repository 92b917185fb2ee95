// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/host.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "util/fs.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

constexpr const char* kProgram = "qemu-system-x86_64";

// Newest layout first; code and variables must be of one size.
constexpr std::array<std::pair<const char*, const char*>, 2> kOvmfPairs = {{
    {"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
    {"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
}};

bool readable(const std::string& path) {
    return ::access(path.c_str(), R_OK) == 0;
}

// What `program --version` prints, at most 4 KiB of it.
Result<std::string> output_of(const std::string& program) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return Error::from_errno(errno, "pipe2");
    }
    UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
    std::string name = program;
    std::string option = "--version";
    char* args[] = {name.data(), option.data(), nullptr};
    char* environment[] = {nullptr};
    pid_t pid = 0;
    const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, args, environment);
    ::posix_spawn_file_actions_destroy(&actions);
    writing.reset();
    if (failed != 0) {
        return Error::from_errno(failed, "run " + program);
    }
    std::string text(4096, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t n = ::read(reading.get(), text.data() + size, text.size() - size);
        if (n <= 0 && !(n < 0 && errno == EINTR)) {
            break;
        }
        size += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    text.resize(size);
    reading.reset();  // a program that prints more ends by SIGPIPE
    ::waitpid(pid, nullptr, 0);
    return text;
}

}  // namespace

Result<std::string> find_qemu(const std::string& wanted) {
    if (!wanted.empty()) {
        if (::access(wanted.c_str(), X_OK) == 0) {
            return wanted;
        }
        return Error::from_errno(errno, "QEMU at " + wanted);
    }
    const char* path = std::getenv("PATH");
    for (const std::string_view directory : split(path ? path : "/usr/bin", ':')) {
        std::string candidate = std::string(directory) + "/" + kProgram;
        if (!directory.empty() && directory[0] == '/' && ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
    }
    return Error(Code::not_found,
                 "qemu-system-x86_64 not found; install the package qemu-system-x86");
}

Result<std::string> qemu_version(const std::string& program) {
    TRY_ASSIGN(const std::string text, output_of(program));
    constexpr std::string_view kBefore = "QEMU emulator version ";
    const auto begin = text.find(kBefore);
    if (begin == std::string::npos) {
        return Error(Code::unsupported, program + " did not tell its version");
    }
    const auto first = begin + kBefore.size();
    return text.substr(first, text.find_first_not_of("0123456789.", first) - first);
}

Result<OvmfFiles> find_ovmf(const std::string& code, const std::string& variables) {
    if (!code.empty() || !variables.empty()) {
        if (readable(code) && readable(variables)) {
            return OvmfFiles{code, variables};
        }
        return Error(Code::not_found, "UEFI firmware " + code + " or its variables " + variables +
                                          " cannot be read");
    }
    for (const auto& [known_code, known_variables] : kOvmfPairs) {
        if (readable(known_code) && readable(known_variables)) {
            return OvmfFiles{known_code, known_variables};
        }
    }
    return Error(Code::not_found, "UEFI firmware not found; install the package ovmf");
}

std::optional<gid_t> kvm_group() {
    struct stat info {};
    constexpr mode_t kGroupMayUse = S_IRGRP | S_IWGRP;
    if (::stat("/dev/kvm", &info) != 0 || (info.st_mode & kGroupMayUse) != kGroupMayUse) {
        return std::nullopt;
    }
    return info.st_gid;
}

}  // namespace kiln::compute
