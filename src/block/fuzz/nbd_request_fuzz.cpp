// SPDX-License-Identifier: Apache-2.0
// Fuzz target: NBD requests. Whatever check_request lets through lies within the export and within
// the limits. Thread model: pure function.
#include "block/export/nbd_protocol.h"
#include "block/limits.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using namespace kiln::block::nbd;
    if (size < kRequestBytes + 1) {
        return 0;
    }
    const std::uint8_t choice = data[kRequestBytes];
    const ExportInfo info{
        .name = "vol-1", .size_bytes = 1ULL << (12 + choice % 48), .read_only = (choice & 64) != 0};
    const Negotiated negotiated{.structured = (choice & 128) != 0,
                                .base_allocation = (choice & 192) == 192};
    const auto request = decode_request({data, kRequestBytes});
    if (!request) {
        return 0;
    }
    const NbdError error = check_request(*request, info, negotiated);
    (void)status_reply(*request, negotiated, error);
    if (error != NbdError::none || request->command == Command::flush ||
        request->command == Command::disc) {
        return 0;
    }
    INVARIANT(request->offset <= info.size_bytes &&
              request->length <= info.size_bytes - request->offset);
    // An empty range is nothing to do, but an answer to block status has at least one extent.
    INVARIANT(request->length > 0 || request->command != Command::block_status);
    INVARIANT(payload_bytes(*request) <= block::kMaxRequestBytes);
    INVARIANT(!info.read_only || request->command == Command::read ||
              request->command == Command::block_status);
    return 0;
}
