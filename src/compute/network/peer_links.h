// SPDX-License-Identifier: Apache-2.0
// PeerLinks: frames between the network processes of neighbours. Each process listens at a socket;
// who has a frame for it connects and sends, one frame per message. A connection carries frames in
// one direction only, so that each pair has a queue of its own: when it is full further frames are
// dropped, as by a switch, and nobody else notices.
//
// Who connects is known by the kernel's word for the user of the process. What a frame says of its
// source is not looked at here.
//
// Thread model: one owner thread, which polls what prepare() adds and then calls dispatch().
#pragma once

#include <poll.h>

#include <functional>
#include <list>
#include <map>

#include "compute/network/neighbours.h"
#include "util/fs.h"

namespace kiln::compute {

class PeerLinks {
  public:
    // Connections per direction. Beyond that an old one gives way.
    static constexpr std::size_t kMaxLinks = 128;
    // Of these from one user, where every process has its own: it needs one, and must not take
    // those of others.
    static constexpr std::size_t kMaxLinksOfUser = 4;

    // How many connections a user may have; 0: none.
    using Admit = std::function<std::size_t(uid_t)>;
    using Take = std::function<void(ByteView frame, uid_t sender)>;

    // `listener` is of listen_frames(); without one nobody is heard.
    explicit PeerLinks(UniqueFd listener);

    // Appends the sockets to watch.
    void prepare(std::vector<pollfd>& watched) const;
    // `ready` is what prepare() appended, as poll() left it.
    void dispatch(std::span<const pollfd> ready, const Admit& admit, const Take& take);

    // False when the frame was dropped.
    bool send(const Neighbour& to, ByteView frame);
    // Closes what leads to instances that are gone.
    void retain(const Neighbours& neighbours);

  private:
    struct Incoming {
        UniqueFd socket;
        uid_t user = 0;
    };
    struct Outgoing {
        UniqueFd socket;
        std::string path;
        std::uint64_t used = 0;
    };
    void accept(const Admit& admit);
    void make_room(uid_t user, std::size_t allowed);
    bool receive(Incoming& link, const Take& take);  // false: done with it
    Outgoing* connect(const Neighbour& to);

    const UniqueFd listener_;
    std::list<Incoming> incoming_;  // oldest first
    std::map<Ipv4, Outgoing> outgoing_;
    std::uint64_t sends_ = 0;
    Bytes buffer_;
};

}  // namespace kiln::compute
