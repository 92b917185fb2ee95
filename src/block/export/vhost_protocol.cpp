// SPDX-License-Identifier: Apache-2.0
#include "block/export/vhost_protocol.h"

#include <algorithm>

namespace kiln::block::vhost {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kVersionMask = 3;
constexpr std::uint32_t kFlagReply = 4;
constexpr std::uint32_t kFlagNeedReply = 8;

// In the payload of SET_VRING_KICK, CALL and ERR.
constexpr std::uint64_t kVringIndexMask = 0xff;
constexpr std::uint64_t kVringNoDescriptor = 0x100;

constexpr std::size_t kMemoryRegionBytes = 32;
constexpr std::size_t kConfigHeadBytes = 12;
// Without and with the padding that a C compiler adds.
constexpr std::size_t kInflightBytes = 20;
constexpr std::size_t kPaddedInflightBytes = 24;

Error malformed(const char* what) {
    return Error(Code::invalid_argument, std::string("malformed vhost-user message: ") + what);
}

bool overlap(std::uint64_t a, std::uint64_t b, std::uint64_t a_bytes, std::uint64_t b_bytes) {
    return a < b + b_bytes && b < a + a_bytes;  // neither wraps
}

Result<MemoryTable> decode_memory(ByteView payload) {
    ByteReader in(payload);
    const auto count = in.le<std::uint32_t>();
    in.le<std::uint32_t>();  // padding
    if (!in.ok() || count == 0 || count > kMaxMemoryRegions ||
        in.remaining() != count * kMemoryRegionBytes) {
        return malformed("number of memory regions");
    }
    MemoryTable table;
    for (std::uint32_t i = 0; i < count; ++i) {
        MemoryRegion region;
        region.guest_address = in.le<std::uint64_t>();
        region.bytes = in.le<std::uint64_t>();
        region.user_address = in.le<std::uint64_t>();
        region.file_offset = in.le<std::uint64_t>();
        std::uint64_t end = 0;
        if (region.bytes == 0 || !checked_add(region.guest_address, region.bytes, end) ||
            !checked_add(region.user_address, region.bytes, end) ||
            !checked_add(region.file_offset, region.bytes, end)) {
            return malformed("memory region");
        }
        const bool clash =
            std::any_of(table.regions.begin(), table.regions.end(), [&](const MemoryRegion& other) {
                return overlap(other.guest_address, region.guest_address, other.bytes,
                               region.bytes) ||
                       overlap(other.user_address, region.user_address, other.bytes, region.bytes);
            });
        if (clash) {
            return malformed("memory regions overlap");
        }
        table.regions.push_back(region);
    }
    return table;
}

Result<InflightPlace> decode_inflight(ByteView payload) {
    if (payload.size() != kInflightBytes && payload.size() != kPaddedInflightBytes) {
        return malformed("length");
    }
    ByteReader in(payload);
    InflightPlace place;
    place.bytes = in.le<std::uint64_t>();
    place.file_offset = in.le<std::uint64_t>();
    place.queues = in.le<std::uint16_t>();
    place.queue_size = in.le<std::uint16_t>();
    std::uint64_t end = 0;
    if (place.queues == 0 || place.queue_size == 0 ||
        !checked_add(place.bytes, place.file_offset, end)) {
        return malformed("area for requests in flight");
    }
    return place;
}

Result<ConfigRange> decode_config(ByteView payload) {
    ByteReader in(payload);
    ConfigRange range;
    range.offset = in.le<std::uint32_t>();
    range.bytes = in.le<std::uint32_t>();
    in.le<std::uint32_t>();  // flags
    if (!in.ok() || range.bytes == 0 || range.bytes > kConfigBytes ||
        range.offset > kConfigBytes - range.bytes || in.remaining() != range.bytes) {
        return malformed("range of the configuration space");
    }
    return range;
}

Result<VringAddress> decode_vring_address(ByteView payload) {
    ByteReader in(payload);
    VringAddress address;
    address.index = in.le<std::uint32_t>();
    address.flags = in.le<std::uint32_t>();
    address.descriptors = in.le<std::uint64_t>();
    address.used = in.le<std::uint64_t>();
    address.available = in.le<std::uint64_t>();
    in.le<std::uint64_t>();  // where to log changes of the ring, which nobody asked us for
    if (!in.ok() || in.remaining() != 0) {
        return malformed("length");
    }
    return address;
}

Bytes reply_head(MessageType type, std::size_t payload_bytes) {
    Bytes out;
    ByteWriter(out)
        .le(static_cast<std::uint32_t>(type))
        .le(kVersion | kFlagReply)
        .le(static_cast<std::uint32_t>(payload_bytes));
    return out;
}

}  // namespace

std::optional<MessageHeader> decode_header(ByteView bytes) {
    ByteReader in(bytes);
    MessageHeader header;
    header.type = static_cast<MessageType>(in.le<std::uint32_t>());
    const auto flags = in.le<std::uint32_t>();
    header.bytes = in.le<std::uint32_t>();
    header.need_reply = (flags & kFlagNeedReply) != 0;
    if (!in.ok() || (flags & kVersionMask) != kVersion || (flags & kFlagReply) != 0 ||
        header.bytes > kMaxMessageBytes) {
        return std::nullopt;
    }
    return header;
}

Result<Message> decode_message(const MessageHeader& header, ByteView payload) {
    Message message{.type = header.type,
                    .need_reply = header.need_reply,
                    .payload_bytes = static_cast<std::uint32_t>(payload.size())};
    ByteReader in(payload);
    switch (header.type) {
        case MessageType::get_features:
        case MessageType::set_owner:
        case MessageType::reset_owner:
        case MessageType::get_protocol_features:
        case MessageType::get_queue_num:
            break;  // what comes with them means nothing
        case MessageType::set_features:
        case MessageType::set_protocol_features:
            message.payload = in.le<std::uint64_t>();
            break;
        case MessageType::set_vring_kick:
        case MessageType::set_vring_call:
        case MessageType::set_vring_err: {
            const auto value = in.le<std::uint64_t>();
            message.payload =
                VringDescriptor{.index = static_cast<std::uint32_t>(value & kVringIndexMask),
                                .present = (value & kVringNoDescriptor) == 0};
            break;
        }
        case MessageType::set_vring_num:
        case MessageType::set_vring_base:
        case MessageType::get_vring_base:
        case MessageType::set_vring_enable: {
            VringState state;
            state.index = in.le<std::uint32_t>();
            state.value = in.le<std::uint32_t>();
            message.payload = state;
            break;
        }
        case MessageType::set_vring_addr: {
            TRY_ASSIGN(message.payload, decode_vring_address(payload));
            return message;
        }
        case MessageType::set_mem_table: {
            TRY_ASSIGN(message.payload, decode_memory(payload));
            return message;
        }
        case MessageType::get_config: {
            TRY_ASSIGN(message.payload, decode_config(payload));
            return message;
        }
        case MessageType::get_inflight_fd:
        case MessageType::set_inflight_fd: {
            TRY_ASSIGN(message.payload, decode_inflight(payload));
            return message;
        }
        default:
            return Error(
                Code::unsupported,
                "vhost-user message " + std::to_string(static_cast<std::uint32_t>(header.type)));
    }
    const bool plain = std::holds_alternative<std::monostate>(message.payload);
    if (!in.ok() || (!plain && in.remaining() != 0)) {
        return malformed("length");
    }
    return message;
}

std::size_t descriptors_of(const Message& message) {
    if (const auto* table = std::get_if<MemoryTable>(&message.payload)) {
        return table->regions.size();
    }
    if (const auto* vring = std::get_if<VringDescriptor>(&message.payload)) {
        return vring->present ? 1 : 0;
    }
    return message.type == MessageType::set_inflight_fd ? 1 : 0;
}

Bytes encode_reply(MessageType type, std::uint64_t value) {
    Bytes out = reply_head(type, sizeof value);
    ByteWriter(out).le(value);
    return out;
}

Bytes encode_reply(MessageType type, const VringState& state) {
    Bytes out = reply_head(type, 8);
    ByteWriter(out).le(state.index).le(state.value);
    return out;
}

Bytes encode_reply(MessageType type, const ConfigRange& range, ByteView config) {
    Bytes out = reply_head(type, kConfigHeadBytes + config.size());
    ByteWriter(out).le(range.offset).le(range.bytes).le(std::uint32_t{0}).bytes(config);
    return out;
}

Bytes encode_reply(MessageType type, const InflightPlace& place, std::uint32_t payload_bytes) {
    Bytes out = reply_head(type, payload_bytes);
    ByteWriter(out).le(place.bytes).le(place.file_offset).le(place.queues).le(place.queue_size);
    ByteWriter(out).zeros(payload_bytes - kInflightBytes);
    return out;
}

}  // namespace kiln::block::vhost
