// SPDX-License-Identifier: Apache-2.0
#include "io/detail/descriptors.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kiln::io {

void DescriptorSpace::attach(msghdr& message, int descriptor) {
    bytes_.fill(0);
    message.msg_control = bytes_.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int));
    cmsghdr* control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
}

void DescriptorSpace::receive(msghdr& message) {
    message.msg_control = bytes_.data();
    message.msg_controllen = bytes_.size();
}

Result<Received> take_descriptors(msghdr& message, std::size_t bytes) {
    Received received{.bytes = bytes};
    for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
         control = CMSG_NXTHDR(&message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(control) + i * sizeof(int), sizeof descriptor);
            received.descriptors.emplace_back(descriptor);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        return Error(Code::resource_exhausted, "too many descriptors came with a message");
    }
    return received;
}

Status check_event(int descriptor) {
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    std::array<char, 64> target{};
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    const std::string_view name(target.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    // The kernel may add a number to the name: "anon_inode:[eventfd:12]".
    if (!name.starts_with("anon_inode:[eventfd")) {
        return Error(Code::invalid_argument, "the descriptor is not an eventfd");
    }
    return ok();
}

int take_event(int descriptor) {
    std::uint64_t count = 0;
    iovec part{&count, sizeof count};
    const ssize_t n = ::preadv2(descriptor, &part, 1, -1, RWF_NOWAIT);
    return n == sizeof count ? 0 : n < 0 ? errno : EIO;
}

}  // namespace kiln::io
