// SPDX-License-Identifier: Apache-2.0
// Fuzz target: what an NBD client may send before transmission, whole and in pieces: both must
// answer the same. Thread model: pure function.
#include "block/export/nbd_handshake.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using block::nbd::Handshake;
    const ByteView input(data, size);
    const block::nbd::ExportInfo info{
        .name = "vol-1", .size_bytes = 1 << 20, .read_only = size % 2 == 0};
    Handshake whole(info);
    Bytes answer;
    const std::size_t taken = whole.feed(input, answer);
    INVARIANT(taken <= size);
    Handshake pieces(info);
    Bytes answer_to_pieces;
    std::size_t begin = 0;
    for (std::size_t end = 0; end <= size;
         end += end == size ? 1 : std::min<std::size_t>(1 + end % 37, size - end)) {
        begin += pieces.feed(input.subspan(begin, end - begin), answer_to_pieces);
    }
    INVARIANT(begin == taken && pieces.state() == whole.state() && answer_to_pieces == answer);
    return 0;
}
