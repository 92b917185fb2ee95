// SPDX-License-Identifier: Apache-2.0
// Export: one unix socket that serves one volume over NBD, and its connections. close() disconnects
// everyone. Thread model: one owner thread.
#pragma once

#include <map>
#include <memory>

#include "block/export/listener.h"
#include "block/export/nbd_session.h"
#include "block/export/volume_export.h"
#include "block/limits.h"

namespace kiln::block::nbd {

class Export final : public VolumeExport {
  public:
    // Binds the socket and begins to accept. The volume outlives the export.
    static Result<std::unique_ptr<Export>> create(io::Sockets& sockets, io::Scheduler& scheduler,
                                                  Volume& volume, const std::string& socket_path,
                                                  bool read_only);
    ~Export() override;
    void advertise_anew() override;
    void close(io::Callback<> done) override;

  private:
    Export(io::Sockets& sockets, io::Scheduler& scheduler, Volume& volume, io::SocketId listener,
           bool read_only)
        : sockets_(sockets),
          scheduler_(scheduler),
          volume_(volume),
          read_only_(read_only),
          listener_(sockets, scheduler, listener,
                    {.name = volume.id().str(),
                     .has_room = [this] { return sessions_.size() < kMaxConnections; },
                     .connected = [this](io::SocketId socket) { connected(socket); }}) {}
    void connected(io::SocketId socket);
    void session_ended(std::uint64_t session);
    void maybe_closed();

    io::Sockets& sockets_;
    io::Scheduler& scheduler_;
    Volume& volume_;
    const bool read_only_;
    Listener listener_;
    bool listening_ = true;
    io::Callback<> closed_;  // of close()
    std::uint64_t next_session_ =
        1;  // not the socket: its number may be in use again before the session has ended
    std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
};

}  // namespace kiln::block::nbd
