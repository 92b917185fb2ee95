// SPDX-License-Identifier: Apache-2.0
// What daemon and network process say to each other: one JSON object per line, an answer to each.
//
//     {"do":"status"}  ->  {"ok":true,"connected":true,"forwards":[...],"dropped_from_guest":0,...}
//     {"do":"reload"}  ->  {"ok":true}            the configuration file is in force
//     {"do":"stop"}    ->  {"ok":true}            and the process ends
//     anything else    ->  {"ok":false,"code":"invalid_argument","message":"..."}
//
// Thread model: pure functions; ask_network() blocks.
#pragma once

#include <string>

#include "compute/network/guest_network.h"

namespace kiln::compute {

enum class NetworkCommand { status, reload, stop };

inline constexpr std::size_t kMaxCommandBytes = 4096;
inline constexpr std::size_t kMaxAnswerBytes = 256U << 10;

// Lines without their end.
std::string encode_command(NetworkCommand command);
Result<NetworkCommand> decode_command(std::string_view line);

std::string encode_answer(const Status& status);
std::string encode_answer(const GuestNetworkStatus& status);
// The error the process answered with, or what it says of itself (empty for reload and stop).
Result<GuestNetworkStatus> decode_answer(std::string_view line);

// Connects, asks, waits for the answer. unavailable when nobody listens or the peer goes away.
Result<GuestNetworkStatus> ask_network(const std::string& control_path, NetworkCommand command,
                                       Deadline deadline);

}  // namespace kiln::compute
