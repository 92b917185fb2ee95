// SPDX-License-Identifier: Apache-2.0
// The messages of vhost-user as bytes: what a front end (QEMU) may say to us, checked, and our
// answers. Little-endian, as the machines we run on.
//
// decode_message() lets nothing through that is not whole and within the limits; what the numbers
// mean (does that queue exist, is that memory there) is the session's to check. Thread model: pure
// functions and plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::block::vhost {

// Those we answer. Everything else belongs to features that we do not offer.
enum class MessageType : std::uint32_t {
    get_features = 1,
    set_features = 2,
    set_owner = 3,
    reset_owner = 4,
    set_mem_table = 5,
    set_vring_num = 8,
    set_vring_addr = 9,
    set_vring_base = 10,
    get_vring_base = 11,
    set_vring_kick = 12,
    set_vring_call = 13,
    set_vring_err = 14,
    get_protocol_features = 15,
    set_protocol_features = 16,
    get_queue_num = 17,
    set_vring_enable = 18,
    get_config = 24,
    get_inflight_fd = 31,
    set_inflight_fd = 32,
};

// Bits of GET_FEATURES: those of vhost-user, of virtio rings, and of virtio block devices.
inline constexpr std::uint64_t kFeatureProtocol = 1ULL << 30;
inline constexpr std::uint64_t kFeatureIndirect = 1ULL << 28;
inline constexpr std::uint64_t kFeatureEventIndex = 1ULL << 29;
inline constexpr std::uint64_t kFeatureVersion1 = 1ULL << 32;
// These change how a ring or its addresses are read, or who else has to be told.
inline constexpr std::uint64_t kFeatureLogAll = 1ULL << 26;
inline constexpr std::uint64_t kFeatureAccessPlatform = 1ULL << 33;
inline constexpr std::uint64_t kFeaturePackedRing = 1ULL << 34;
inline constexpr std::uint64_t kBlkSegMax = 1ULL << 2;
inline constexpr std::uint64_t kBlkReadOnly = 1ULL << 5;
inline constexpr std::uint64_t kBlkBlockSize = 1ULL << 6;
inline constexpr std::uint64_t kBlkFlush = 1ULL << 9;
inline constexpr std::uint64_t kBlkTopology = 1ULL << 10;
inline constexpr std::uint64_t kBlkQueues = 1ULL << 12;
inline constexpr std::uint64_t kBlkDiscard = 1ULL << 13;
inline constexpr std::uint64_t kBlkWriteZeroes = 1ULL << 14;

// Bits of GET_PROTOCOL_FEATURES.
inline constexpr std::uint64_t kProtocolQueues = 1ULL << 0;
inline constexpr std::uint64_t kProtocolReplyAck = 1ULL << 3;
inline constexpr std::uint64_t kProtocolConfig = 1ULL << 9;
inline constexpr std::uint64_t kProtocolInflight = 1ULL << 12;

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::size_t kMaxMemoryRegions = 8;
inline constexpr std::size_t kConfigBytes = 256;
// The longest message: offset, size, flags and all of the configuration space.
inline constexpr std::size_t kMaxMessageBytes = 12 + kConfigBytes;

struct MessageHeader {
    MessageType type{};  // any number
    bool need_reply = false;
    std::uint32_t bytes = 0;  // of what follows
};
// Nothing when it is not the header of a request, or what follows is longer than any message is.
std::optional<MessageHeader> decode_header(ByteView bytes);

struct MemoryRegion {
    std::uint64_t guest_address = 0;
    std::uint64_t bytes = 0;
    std::uint64_t user_address = 0;  // of the same memory, as the front end has it
    std::uint64_t file_offset = 0;
};
struct MemoryTable {
    std::vector<MemoryRegion> regions;  // neither empty nor wrapping nor overlapping
};
struct VringState {
    std::uint32_t index = 0;
    std::uint32_t value = 0;
};
// User addresses.
struct VringAddress {
    std::uint32_t index = 0;
    std::uint32_t flags = 0;
    std::uint64_t descriptors = 0;
    std::uint64_t used = 0;
    std::uint64_t available = 0;
};
struct VringDescriptor {
    std::uint32_t index = 0;
    bool present = false;  // a descriptor comes with the message
};
struct ConfigRange {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;  // both within the configuration space
};
struct InflightPlace {
    std::uint64_t bytes = 0;
    std::uint64_t file_offset = 0;
    std::uint16_t queues = 0;
    std::uint16_t queue_size = 0;
};

struct Message {
    MessageType type{};
    bool need_reply = false;
    std::uint32_t payload_bytes = 0;  // as it came: some answers have to have the same length
    std::variant<std::monostate, std::uint64_t, MemoryTable, VringState, VringAddress,
                 VringDescriptor, ConfigRange, InflightPlace>
        payload{};
    template <class T>
    const T& as() const {
        return std::get<T>(payload);
    }
};
// unsupported for what we do not answer, invalid_argument for what is malformed.
Result<Message> decode_message(const MessageHeader& header, ByteView payload);
// How many descriptors have to come with it.
std::size_t descriptors_of(const Message& message);

// Answers.
Bytes encode_reply(MessageType type, std::uint64_t value);
Bytes encode_reply(MessageType type, const VringState& state);
// `config`: the bytes asked for.
Bytes encode_reply(MessageType type, const ConfigRange& range, ByteView config);
Bytes encode_reply(MessageType type, const InflightPlace& place, std::uint32_t payload_bytes);

}  // namespace kiln::block::vhost
