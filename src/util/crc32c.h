// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), as every on-disk header and journal record of ours uses it.
// crc32c("123456789") = 0xE3069283. Thread model: pure function; uses the SSE4.2 instruction where
// the processor has it.
#pragma once

#include <cstdint>

#include "util/bytes.h"

namespace kiln {

// Continues from `seed`, the crc of the bytes before; 0 to start.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);

}  // namespace kiln
