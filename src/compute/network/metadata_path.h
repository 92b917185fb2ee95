// SPDX-License-Identifier: Apache-2.0
// MetadataPath leads connections to 169.254.169.254:80 to the instance's own metadata socket. The
// network stack accepts forwarded addresses only inside its own network, so packets to the metadata
// address are rewritten to an alias there (an address of the subnet that nobody has), and answers
// from the alias back. Answers get the hop limit as TTL, so that they do not travel further than
// the instance's owner wants (IMDS-3).
//
// Thread model: one owner thread.
#pragma once

#include "compute/network/frame.h"

namespace kiln::compute {

class MetadataPath {
  public:
    MetadataPath(Ipv4 alias, unsigned hop_limit, bool enabled)
        : alias_(alias), hop_limit_(hop_limit), enabled_(enabled) {}

    void set(unsigned hop_limit, bool enabled) {
        hop_limit_ = hop_limit;
        enabled_ = enabled;
    }

    // `frame` was routed to metadata by the filter. Rewritten in place for the stack: nothing is
    // returned. When the service is off: the reset to send to the guest instead.
    std::optional<Bytes> to_service(MutableByteView frame) const;
    // A frame of the stack: rewritten in place when it comes from the alias.
    void to_guest(MutableByteView frame) const;

  private:
    const Ipv4 alias_;
    unsigned hop_limit_;
    bool enabled_;
};

// The same for the API: packets to kApiAddress go to an alias inside the stack's network, answers
// come back from it.
class ApiPath {
  public:
    explicit ApiPath(Ipv4 alias) : alias_(alias) {}
    void to_service(MutableByteView frame) const;
    void to_guest(MutableByteView frame) const;

  private:
    const Ipv4 alias_;
};

}  // namespace kiln::compute
