// SPDX-License-Identifier: Apache-2.0
// Cut: takes one instant of several volumes. Successor layers are made and everything is flushed
// first; then new requests are held back, reads and writes in flight end, the successors go on top,
// and requests go on: the pause holds no flush and no file operation of its own. After it the old
// layers are sealed: data, FREEZE, journal.
//
// Each owner has a part of it, for its volumes. The parts meet when everything is flushed, and
// again when all requests are held back. From there each puts its successors on top and goes on
// without waiting for the others, and it is one instant all the same: whoever sees a write of after
// it finds the other volumes past it too, or held back until they are.
//
// A flush after the swap covers the layers being sealed before the new active one; a flush in
// flight at the swap completes against the layer it began with. `swapped` runs when the instant is
// over, or when it will not come; `done` at the end, never inside start(). The volumes stay (busy)
// until then. Thread model: one owner thread.
#pragma once

#include "block/detail/meeting.h"
#include "block/detail/open_volume.h"
#include "block/engine.h"

namespace kiln::block {

class Cut : public std::enable_shared_from_this<Cut> {
  public:
    // Of `instant`, to which all parts come: when all is prepared, and when requests are held back.
    static constexpr std::size_t kMeetings = 2;
    struct Member {
        OpenVolume& volume;
        LayerId successor;
        ContentId content;
        LayerId expected{};                  // as the active layer, unless empty
        std::shared_ptr<UsedLayer> layer{};  // the successor, opened
        std::shared_ptr<UsedLayer> old{};
    };
    static void start(const EngineParts& parts, std::vector<Member> members, std::string set_id,
                      std::shared_ptr<Meeting> instant, io::Callback<bool> swapped, Done done);

  private:
    Cut(const EngineParts& parts, std::vector<Member> members, std::string set_id,
        std::shared_ptr<Meeting> instant, io::Callback<bool> swapped, Done done);
    Status check_members() const;
    void make_successors();
    void meet_prepared(Status status);
    void flush();
    void pause();
    void swap();
    void seal(Member& member, Done done);
    void seal_now(Member& member, Done done);
    void sealed(Member& member, Status status, Done done);
    void give_up(Error error);

    const EngineParts& parts_;
    std::vector<Member> members_;
    const std::string set_id_;
    const std::shared_ptr<Meeting> instant_;
    io::Callback<bool> swapped_;
    Done done_;
};

}  // namespace kiln::block
