// SPDX-License-Identifier: Apache-2.0
// Export: one unix socket that serves one volume as a vhost-user-blk device.
//
// A device has one front end: the next one waits in the socket's backlog until all of the one
// before is over, so that nothing it had in flight is still under way when it is begun again.
// Thread model: one owner thread.
#pragma once

#include <memory>
#include <string>

#include "block/export/listener.h"
#include "block/export/vhost_session.h"
#include "block/export/volume_export.h"

namespace kiln::block::vhost {

class Export final : public VolumeExport {
  public:
    // Binds the socket and begins to accept. The volume outlives the export.
    static Result<std::unique_ptr<Export>> create(io::Sockets& sockets, io::Scheduler& scheduler,
                                                  Volume& volume, const std::string& socket_path,
                                                  DeviceFacts facts);
    ~Export() override;
    // A front end asks for the size when it wants to know; we offer no channel to call it.
    void advertise_anew() override {}
    void close(io::Callback<> done) override;

  private:
    Export(io::Sockets& sockets, io::Scheduler& scheduler, Volume& volume, io::SocketId listener,
           DeviceFacts facts)
        : sockets_(sockets),
          scheduler_(scheduler),
          volume_(volume),
          facts_(std::move(facts)),
          listener_(sockets, scheduler, listener,
                    {.name = volume.id().str(),
                     .has_room = [this] { return !session_; },
                     .connected = [this](io::SocketId socket) { connected(socket); }}) {}
    void connected(io::SocketId socket);
    void maybe_closed();

    io::Sockets& sockets_;
    io::Scheduler& scheduler_;
    Volume& volume_;
    const DeviceFacts facts_;
    Listener listener_;
    bool listening_ = true;
    io::Callback<> closed_;  // of close()
    std::shared_ptr<Session> session_;
};

}  // namespace kiln::block::vhost
