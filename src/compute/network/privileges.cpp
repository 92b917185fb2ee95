// SPDX-License-Identifier: Apache-2.0
#include "compute/network/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace kiln::compute {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// Sockets of the guest's connections. Each costs up to 256 KiB of buffers, so this also bounds
// memory.
constexpr rlim_t kMaxOpenFiles = 1024;
constexpr rlim_t kMaxFileBytes = 8U << 20;
constexpr rlim_t kMaxMemoryBytes = 1U << 30;

Status limit(int resource, rlim_t value, const char* name) {
    rlimit limits{};
    if (::getrlimit(static_cast<__rlimit_resource>(resource), &limits) != 0) {
        return Error::from_errno(errno, name);
    }
    limits.rlim_max = std::min(limits.rlim_max, value);
    limits.rlim_cur = limits.rlim_max;
    if (::setrlimit(static_cast<__rlimit_resource>(resource), &limits) != 0) {
        return Error::from_errno(errno, name);
    }
    return ok();
}

// The wrappers of libcap are one more dependency for two calls.
Status keep_only_low_ports() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    if (::syscall(SYS_capget, &header, data) != 0) {
        return Error::from_errno(errno, "capget");
    }
    // A container may lack it; then high ports serve.
    const std::uint32_t kept = data[0].permitted & 1U << CAP_NET_BIND_SERVICE;
    data[0] = {kept, kept, 0};
    data[1] = {0, 0, 0};
    if (::syscall(SYS_capset, &header, data) != 0) {
        return Error::from_errno(errno, "capset");
    }
    return ok();
}

Status become(uid_t user) {
    // Else the change of user would take all capabilities away, the one to keep included.
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
        return Error::from_errno(errno, "keep capabilities");
    }
    if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
        ::setresuid(user, user, user) != 0) {
        return Error::from_errno(errno, "change user");
    }
    return ok();
}

}  // namespace

Status give_up_privileges(std::optional<uid_t> user) {
    TRY(limit(RLIMIT_CORE, 0, "limit core files"));
    TRY(limit(RLIMIT_NOFILE, kMaxOpenFiles, "limit open files"));
    // Beyond the limit a write of the log fails, which harms nothing; without the signal, that is.
    ::signal(SIGXFSZ, SIG_IGN);
    TRY(limit(RLIMIT_FSIZE, kMaxFileBytes, "limit file size"));
    if (!kSanitized) {
        TRY(limit(RLIMIT_AS, kMaxMemoryBytes, "limit memory"));
    }
    if (user) {
        TRY(become(*user));
    }
    // Ambient ones go with them.
    TRY(keep_only_low_ports());
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return Error::from_errno(errno, "no new privileges");
    }
    return ok();
}

}  // namespace kiln::compute
