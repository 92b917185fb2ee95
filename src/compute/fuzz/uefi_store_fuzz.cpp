// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: the store of UEFI variables that a guest's firmware writes. The first byte says
// whether the others are a whole file, or what lies in the area of variables of one in order. What
// is read comes back the same from a store that is made of it.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "compute/uefi/variable_store.h"
#include "util/check.h"
#include "util/encoding.h"

namespace {

using namespace kiln;
using namespace kiln::compute;

constexpr std::size_t kHead = 100;
constexpr std::size_t kRoom = 8U << 10;

// The headers of OVMF's store, but that it is smaller.
Bytes empty_store() {
    static const Bytes store = [] {
        Bytes file = *hex_decode(
            "000000000000000000000000000000008d2bf1ff96768b4ca9852747075b4f50"
            "00000000000000005f465648fffe040048000000000000028400000000100000"
            "0000000000000000782cf3aa7b949a43a1802e144ec37792000000005afe0000"
            "00000000");
        put_le<std::uint64_t>(file.data() + 32, kHead + kRoom);
        put_le(file.data() + 88, static_cast<std::uint32_t>(28 + kRoom));
        std::uint16_t sum = 0;
        for (std::size_t at = 0; at < 72; at += 2) {
            sum = static_cast<std::uint16_t>(sum + get_le<std::uint16_t>(file.data() + at));
        }
        put_le(file.data() + 50, static_cast<std::uint16_t>(-sum));
        file.resize(kHead + kRoom, 0xff);
        return file;
    }();
    return store;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const ByteView bytes(data + 1, size - 1);
    Bytes file(bytes.begin(), bytes.end());
    if (data[0] % 2 == 0) {
        file = empty_store();
        std::copy_n(bytes.begin(), std::min(bytes.size(), kRoom),
                    file.begin() + static_cast<std::ptrdiff_t>(kHead));
    } else if (const auto made = make_variable_store(file, {})) {
        INVARIANT(read_variable_store(as_bytes(*made))->empty());
    }
    const auto variables = read_variable_store(file);
    if (!variables) {
        INVARIANT(variables.error().code() == Code::data_loss);
        return 0;
    }
    // A list of certificates may be larger than it was: entries could name one variable twice.
    if (const auto made = make_variable_store(file, *variables)) {
        const auto again = read_variable_store(as_bytes(*made));
        INVARIANT(again && *again == *variables);
    }
    return 0;
}
