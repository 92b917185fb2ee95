// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any bytes are a picture that is read back the same after writing it, or are
// refused.
#include <cstddef>
#include <cstdint>

#include "compute/screen.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln::compute;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto picture = parse_ppm(bytes)) {
        const auto again = parse_ppm(to_ppm(*picture));
        INVARIANT(again && *again == *picture);
        INVARIANT(to_jpeg(*picture));
    }
    return 0;
}
