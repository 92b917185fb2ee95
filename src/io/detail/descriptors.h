// SPDX-License-Identifier: Apache-2.0
// Descriptors beside the bytes of a unix socket, and event descriptors: what both backends share.
// Thread model: plain values and pure functions.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>

#include "io/sockets.h"

namespace kiln::io {

// Room for the control message of a sendmsg or recvmsg. Stays where it is while that is under way.
class DescriptorSpace {
  public:
    // To send one.
    void attach(msghdr& message, int descriptor);
    // To receive kMaxDescriptors.
    void receive(msghdr& message);

  private:
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> bytes_;
};

// What a recvmsg with a DescriptorSpace got.
Result<Received> take_descriptors(msghdr& message, std::size_t bytes);

// All that a recvmsg needs.
struct DescriptorMessage {
    explicit DescriptorMessage(MutableByteView into) : part{into.data(), into.size()} {
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        space.receive(header);
    }
    DescriptorMessage(const DescriptorMessage&) = delete;
    Result<Received> received(std::size_t bytes) { return take_descriptors(header, bytes); }

    msghdr header{};
    iovec part;
    DescriptorSpace space;
};

// invalid_argument unless it is an eventfd.
Status check_event(int descriptor);
// Sets the counter to 0. Never blocks, whatever flags others gave the descriptor. 0, or an errno:
// EAGAIN when it was 0.
int take_event(int descriptor);

}  // namespace kiln::io
