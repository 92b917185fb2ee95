// SPDX-License-Identifier: Apache-2.0
// VolumeExport: one unix socket that serves one volume, in whatever protocol.
//
// close() removes the socket, ends its connections and completes when nothing of them is in flight
// on the volume. Destroyed only after that. Thread model: one owner thread.
#pragma once

#include "io/callback.h"

namespace kiln::block {

class VolumeExport {
  public:
    virtual ~VolumeExport() = default;
    // The volume has another size, which its clients are told as soon as the protocol lets them.
    virtual void advertise_anew() = 0;
    virtual void close(io::Callback<> done) = 0;
};

}  // namespace kiln::block
