// SPDX-License-Identifier: Apache-2.0
// The limits of the network layer, with their reasons. Options of the server default to these.
// Thread model: constants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kiln::net {

// Request line and header fields together. Presigned URLs with a session token reach 4 KiB, EC2 GET
// requests with user data in the query 24 KiB; common servers stop at 8..64 KiB.
inline constexpr std::size_t kMaxHeaderBytes = 64U << 10;
// One socket read. Large enough that a streamed import is bound by the disk, small enough for a
// thousand connections.
inline constexpr std::size_t kSocketReadBytes = 64U << 10;
// Socket, buffer and parser of an idle connection take some 10 KiB; descriptors are the scarcer
// thing (1024 by default, and the volumes of guests need theirs).
inline constexpr std::size_t kMaxConnections = 512;
inline constexpr int kListenBacklog = 256;

// From the first byte of a request (or of the TLS handshake) to the end of its header: stops
// clients that trickle.
inline constexpr std::chrono::milliseconds kHeaderTimeout{20'000};
// Between requests of one connection. SDK pools drop idle connections after 60..90 s by themselves.
inline constexpr std::chrono::milliseconds kIdleTimeout{75'000};
// One blocking read of a body that brings no byte. `kiln import` of a sparse file reads ahead, so
// silence means trouble.
inline constexpr std::chrono::milliseconds kBodyReadTimeout{60'000};
// One blocking write that the peer takes nothing of.
inline constexpr std::chrono::milliseconds kWriteTimeout{60'000};
// How long, and over how many bytes, a connection that is to be closed still takes (and drops) what
// the client is sending. Closing at once would reset the connection and the client would never see
// the answer.
inline constexpr std::chrono::milliseconds kLingerTimeout{2'000};
inline constexpr std::uint64_t kLingerBytes = 4U << 20;
// A body that the handler left unread is skipped to keep the connection, if it is at most this
// long.
inline constexpr std::uint64_t kDrainBytes = 256U << 10;
inline constexpr std::chrono::milliseconds kDrainTimeout{1'000};
// After a failed accept for want of descriptors.
inline constexpr std::chrono::milliseconds kAcceptRetry{100};
// read_all() and collected responses where the caller names no limit: an EC2 form body (1 MiB of
// user data and mappings is already more than EC2 takes).
inline constexpr std::size_t kDefaultBodyLimit = 4U << 20;
// Bodies from here on are announced by our client with `Expect: 100-continue`, so that a refusal
// costs no upload.
inline constexpr std::uint64_t kExpectContinueBytes = 1U << 20;
// A server that does not know the expectation stays silent: then the body is sent anyway.
inline constexpr std::chrono::milliseconds kExpectContinueWait{3'000};

// Signature version 4. EC2 tolerates five minutes of clock skew; a presigned request lives at most
// seven days.
inline constexpr std::int64_t kMaxClockSkewMs = 5 * 60 * 1000;
inline constexpr std::uint32_t kMaxPresignSeconds = 604'800;
// Real clients sign about 4 to 12 headers.
inline constexpr std::size_t kMaxSignedHeaders = 64;

// The shared configuration files: some hundreds of profiles.
inline constexpr std::size_t kMaxConfigFileBytes = 1U << 20;

}  // namespace kiln::net
