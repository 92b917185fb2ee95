// SPDX-License-Identifier: Apache-2.0
// GuestGateway joins the parts of one guest's network: frames from its link pass the filter to ARP,
// DHCP, the metadata path or the uplink, and back. It knows nothing of processes, files or control.
//
//     machine <-> StreamLink <-> FrameFilter <-> { ARP, DHCP, MetadataPath <-> Uplink }
//                                                                  Forwards -> Uplink
//
// Thread model: one owner thread. run_once() is one turn of its loop.
#pragma once

#include "compute/network/forwards.h"
#include "compute/network/frame_filter.h"
#include "compute/network/metadata_path.h"
#include "compute/network/stream_link.h"
#include "compute/network/uplink.h"

namespace kiln::compute {

class GuestGateway {
  public:
    static Result<std::unique_ptr<GuestGateway>> create(const GuestNetworkConfig& config);

    // failed_precondition when something changed that a running guest relies on (its addresses,
    // the NIC); then nothing has changed.
    Status apply(const GuestNetworkConfig& config);

    // Waits for `others` and its own sockets, at most a second, and serves its own. `others` have
    // their revents set afterwards.
    void run_once(std::span<pollfd> others);

    // pid and restarts are not known here.
    GuestNetworkStatus status() const;

  private:
    explicit GuestGateway(const GuestNetworkConfig& config);
    Status begin();
    void from_guest(ByteView frame);
    void to_guest(ByteView frame);
    void refresh_host_addresses();

    GuestNetworkConfig config_;
    FrameFilter filter_;
    MetadataPath metadata_;
    StreamLink link_;
    std::unique_ptr<Uplink> uplink_;
    Forwards forwards_;
    std::chrono::steady_clock::time_point next_refresh_{};
    std::uint64_t dropped_from_guest_ = 0;
    std::uint64_t dropped_to_guest_ = 0;
    std::vector<pollfd> watched_;  // kept for its memory
};

}  // namespace kiln::compute
