// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: the store of UEFI variables that a guest's firmware writes. The first byte says
// whether the others are a whole file, or what lies in the area of variables of one in order. What
// is read comes back the same from a store that is made of it.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "compute/tests/uefi_store_support.h"
#include "compute/uefi/variable_store.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

constexpr std::size_t kRoom = 8U << 10;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const ByteView bytes(data + 1, size - 1);
    Bytes file(bytes.begin(), bytes.end());
    if (data[0] % 2 == 0) {
        file = empty_store(kRoom);
        std::copy_n(bytes.begin(), std::min(bytes.size(), kRoom),
                    file.begin() + static_cast<std::ptrdiff_t>(kArea));
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
