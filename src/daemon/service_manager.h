// SPDX-License-Identifier: Apache-2.0
// What systemd is told about the service (sd_notify(3), without its library: it is one datagram).
// Nothing happens where no service manager waits. Thread model: pure function.
#pragma once

#include <string>

#include "util/result.h"

namespace kiln::daemon {

// Sends `state`, as "READY=1", to the socket that NOTIFY_SOCKET names.
Status tell_service_manager(const std::string& state);

}  // namespace kiln::daemon
