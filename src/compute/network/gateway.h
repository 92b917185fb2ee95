// SPDX-License-Identifier: Apache-2.0
// GuestGateway joins the parts of one guest's network: frames from its link pass the filter to ARP,
// DHCP, the metadata path, the uplink, a neighbour or the tunnel, and back. It knows nothing of
// processes and control.
//
//     machine <-> StreamLink <-> FrameFilter <-> { ARP, DHCP, MetadataPath <-> Uplink, PeerLinks }
//                                              { TunnelPath <-> Tunnel }    Forwards -> Uplink
//
// Thread model: one owner thread. run_once() is one turn of its loop.
#pragma once

#include "compute/network/forwards.h"
#include "compute/network/frame_filter.h"
#include "compute/network/metadata_path.h"
#include "compute/network/peer_links.h"
#include "compute/network/stream_link.h"
#include "compute/network/tunnel.h"
#include "compute/network/tunnel_path.h"
#include "compute/network/uplink.h"

namespace kiln::compute {

class GuestGateway {
  public:
    // `peers` is what neighbours connect to, of listen_frames(); it may be none. `tunnel` is there
    // if the configuration has one.
    static Result<std::unique_ptr<GuestGateway>> create(const GuestNetworkConfig& config,
                                                        UniqueFd peers,
                                                        std::unique_ptr<Tunnel> tunnel);

    // failed_precondition when something changed that a running guest relies on (its addresses,
    // the NIC); then nothing has changed.
    Status apply(const GuestNetworkConfig& config);

    // Waits for `others` and its own sockets, at most a second, and serves its own. `others` have
    // their revents set afterwards.
    // An error when that cannot go on: the tunnel's device is gone.
    Status run_once(std::span<pollfd> others);

    // pid and restarts are not known here.
    GuestNetworkStatus status() const;

  private:
    GuestGateway(const GuestNetworkConfig& config, UniqueFd peers, std::unique_ptr<Tunnel> tunnel);
    Status begin();
    void from_guest(ByteView frame);
    void to_guest(ByteView frame);
    void answer_arp(const ArpRequest& request);
    void to_neighbour(ByteView frame);
    void from_neighbour(ByteView frame, uid_t sender);
    Status read_tunnel();
    void to_tunnel(ByteView frame);
    std::size_t links_of(uid_t user) const;
    void refresh_neighbours();
    void refresh_host_addresses();

    GuestNetworkConfig config_;
    FrameFilter filter_;
    MetadataPath metadata_;
    ApiPath api_;
    StreamLink link_;
    NeighbourFile neighbour_file_;
    PeerLinks peers_;
    const std::unique_ptr<Tunnel> tunnel_;
    const TunnelPath tunnel_path_;
    std::unique_ptr<Uplink> uplink_;
    Forwards forwards_;
    std::chrono::steady_clock::time_point next_refresh_{};
    std::uint64_t dropped_from_guest_ = 0;
    std::uint64_t dropped_to_guest_ = 0;
    std::vector<pollfd> watched_;  // kept for its memory
};

}  // namespace kiln::compute
