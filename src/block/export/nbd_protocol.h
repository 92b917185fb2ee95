// SPDX-License-Identifier: Apache-2.0
// Constants of the NBD protocol (fixed newstyle;
// https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md), and the transmission phase's
// fixed messages as values and bytes, big-endian. Thread model: constants and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "util/bytes.h"
#include "util/error.h"

namespace kiln::block::nbd {

// Handshake.
inline constexpr std::uint64_t kInitMagic = 0x4e42444d41474943;    // "NBDMAGIC"
inline constexpr std::uint64_t kOptionMagic = 0x49484156454f5054;  // "IHAVEOPT"
inline constexpr std::uint64_t kOptionReplyMagic = 0x3e889045565a9;
inline constexpr std::uint16_t kFlagFixedNewstyle = 1;
inline constexpr std::uint16_t kFlagNoZeroes = 2;

enum class Option : std::uint32_t {
    export_name = 1,
    abort = 2,
    list = 3,
    starttls = 5,
    info = 6,
    go = 7,
    structured_reply = 8,
    list_meta_context = 9,
    set_meta_context = 10,
};

enum class OptionReply : std::uint32_t {
    ack = 1,
    server = 2,
    info = 3,
    meta_context = 4,
    err_unsup = 0x80000001,
    err_policy = 0x80000002,
    err_invalid = 0x80000003,
    err_unknown = 0x80000006,
    err_too_big = 0x80000009,
};

enum class Info : std::uint16_t { export_ = 0, name = 1, description = 2, block_size = 3 };

// Export flags.
inline constexpr std::uint16_t kHasFlags = 1 << 0;
inline constexpr std::uint16_t kReadOnly = 1 << 1;
inline constexpr std::uint16_t kSendFlush = 1 << 2;
inline constexpr std::uint16_t kSendFua = 1 << 3;
inline constexpr std::uint16_t kSendTrim = 1 << 5;
inline constexpr std::uint16_t kSendWriteZeroes = 1 << 6;
inline constexpr std::uint16_t kSendDf = 1 << 7;
inline constexpr std::uint16_t kCanMultiConn = 1 << 8;
inline constexpr std::uint16_t kSendFastZero = 1 << 11;

inline constexpr std::string_view kBaseAllocation = "base:allocation";
inline constexpr std::uint32_t kBaseAllocationId = 1;
inline constexpr std::uint32_t kStateHole = 1;
inline constexpr std::uint32_t kStateZero = 2;

// Transmission.
inline constexpr std::uint32_t kRequestMagic = 0x25609513;
inline constexpr std::uint32_t kSimpleReplyMagic = 0x67446698;
inline constexpr std::uint32_t kStructuredReplyMagic = 0x668e33ef;
inline constexpr std::size_t kRequestBytes = 28;

enum class Command : std::uint16_t {
    read = 0,
    write = 1,
    disc = 2,
    flush = 3,
    trim = 4,
    cache = 5,
    write_zeroes = 6,
    block_status = 7,
};

inline constexpr std::uint16_t kCmdFua = 1 << 0;
inline constexpr std::uint16_t kCmdNoHole = 1 << 1;
inline constexpr std::uint16_t kCmdDf = 1 << 2;
inline constexpr std::uint16_t kCmdReqOne = 1 << 3;
inline constexpr std::uint16_t kCmdFastZero = 1 << 4;

enum class Chunk : std::uint16_t { none = 0, offset_data = 1, block_status = 5, error = 32769 };
inline constexpr std::uint16_t kChunkDone = 1;

// The protocol's errno values, whatever the host's are.
enum class NbdError : std::uint32_t {
    none = 0,
    eperm = 1,
    eio = 5,
    enomem = 12,
    einval = 22,
    enospc = 28,
    eoverflow = 75,
    enotsup = 95,
    eshutdown = 108,
};

NbdError to_nbd(const Error& error);

struct Request {
    std::uint16_t flags = 0;
    Command command = Command::read;  // may hold a value without a name
    std::uint64_t cookie = 0;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
};

struct ExportInfo {
    std::string name;
    std::uint64_t size_bytes = 0;
    bool read_only = false;
    std::uint16_t flags() const;
};

// What the handshake settled.
struct Negotiated {
    bool structured = false;
    bool base_allocation = false;
};

// Nothing when the magic is wrong; `bytes` holds kRequestBytes.
std::optional<Request> decode_request(ByteView bytes);
// Whether the request may be carried out.
NbdError check_request(const Request& request, const ExportInfo& info,
                       const Negotiated& negotiated);
// The bytes that follow the header of this request, also of a refused one.
inline std::uint32_t payload_bytes(const Request& request) {
    return request.command == Command::write ? request.length : 0;
}

// Heads of replies; data follows where they say so.
Bytes simple_reply(std::uint64_t cookie, NbdError error);
Bytes structured_reply(std::uint64_t cookie, Chunk type, std::uint32_t payload);
Bytes read_reply(const Request& request, const Negotiated& negotiated);
// Success without data, or an error; in the form negotiated.
Bytes status_reply(const Request& request, const Negotiated& negotiated, NbdError error);

template <class T>
void put(Bytes& out, T value) {
    out.resize(out.size() + sizeof(T));
    put_be<T>(out.data() + out.size() - sizeof(T), value);
}
inline void put(Bytes& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

}  // namespace kiln::block::nbd
