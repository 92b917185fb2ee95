// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what a vhost-user front end may say. Whatever is let through is within the limits,
// and memory regions neither wrap nor overlap. Thread model: pure function.
#include "block/export/vhost_protocol.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using namespace kiln::block::vhost;
    if (size < kHeaderBytes) {
        return 0;
    }
    const auto header = decode_header({data, kHeaderBytes});
    if (!header) {
        return 0;
    }
    INVARIANT(header->bytes <= kMaxMessageBytes);
    const ByteView payload =
        ByteView(data, size)
            .subspan(kHeaderBytes, std::min<std::size_t>(size - kHeaderBytes, header->bytes));
    const auto message = decode_message(*header, payload);
    if (!message) {
        return 0;
    }
    INVARIANT(descriptors_of(*message) <= kMaxMemoryRegions);
    if (const auto* table = std::get_if<MemoryTable>(&message->payload)) {
        for (const MemoryRegion& one : table->regions) {
            INVARIANT(one.bytes > 0 && one.guest_address + one.bytes > one.guest_address &&
                      one.user_address + one.bytes > one.user_address);
            for (const MemoryRegion& other : table->regions) {
                INVARIANT(&one == &other || one.guest_address + one.bytes <= other.guest_address ||
                          other.guest_address + other.bytes <= one.guest_address);
            }
        }
    }
    if (const auto* range = std::get_if<ConfigRange>(&message->payload)) {
        INVARIANT(range->offset + range->bytes <= kConfigBytes);
        const Bytes config(range->bytes, 0);
        INVARIANT(encode_reply(message->type, *range, config).size() ==
                  kHeaderBytes + message->payload_bytes);
    }
    if (const auto* place = std::get_if<InflightPlace>(&message->payload)) {
        INVARIANT(encode_reply(message->type, *place, message->payload_bytes).size() ==
                  kHeaderBytes + message->payload_bytes);
    }
    return 0;
}
