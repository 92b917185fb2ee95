// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a connection's bytes through MessageParser, as a request and as a response, in
// pieces of any size. Beyond not crashing: it never consumes or produces more than there is, and
// the way the bytes are cut does not change the body.
#include <algorithm>

#include "net/detail/input_buffer.h"
#include "net/detail/message_parser.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::net::detail;

struct Outcome {
    bool head = false;
    bool done = false;
    bool failed = false;
    Bytes body;
};

constexpr std::size_t kHeaderLimit = 2048;

// One step over what is buffered; false when it needs more input, failed, or ended.
bool step(MessageParser& parser, InputBuffer& input, Outcome& out) {
    if (!parser.head_done()) {
        const Result<std::size_t> used = parser.feed_head(input.data());
        out.failed = !used;
        if (!used) {
            return false;
        }
        INVARIANT(*used <= input.data().size());
        input.consume(*used);
        return parser.head_done();
    }
    if (parser.done()) {
        return false;
    }
    std::uint8_t piece[97];
    const Result<Fed> fed = parser.feed_body(input.data(), piece);
    out.failed = !fed;
    if (!fed) {
        return false;
    }
    INVARIANT(fed->consumed <= input.data().size() && fed->produced <= sizeof(piece));
    input.consume(fed->consumed);
    out.body.insert(out.body.end(), piece, piece + fed->produced);
    return fed->consumed > 0 || fed->produced > 0;
}

Outcome parse(std::unique_ptr<MessageParser> parser, ByteView data, std::size_t piece_size) {
    Outcome out;
    InputBuffer input(data.size() + 1);
    while (!data.empty() && !out.failed) {
        const ByteView piece = data.first(std::min(piece_size, data.size()));
        data = data.subspan(piece.size());
        const MutableByteView room = input.room(piece.size());
        INVARIANT(room.size() == piece.size());
        std::copy(piece.begin(), piece.end(), room.begin());
        input.added(piece.size());
        while (step(*parser, input, out)) {
        }
    }
    out.head = parser->head_done();
    out.done = !out.failed && parser->done();
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::size_t piece_size = 1 + data[0] % 64;
    const ByteView bytes(data + 1, size - 1);
    for (const bool request : {true, false}) {
        const auto make = [&] {
            return request ? MessageParser::for_request(kHeaderLimit)
                           : MessageParser::for_response(kHeaderLimit, false);
        };
        const Outcome whole = parse(make(), bytes, size);
        const Outcome cut = parse(make(), bytes, piece_size);
        INVARIANT(!whole.done || (cut.done && cut.body == whole.body));
    }
    return 0;
}
