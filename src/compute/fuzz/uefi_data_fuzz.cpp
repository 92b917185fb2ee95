// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: UEFI variables in EC2's form, as somebody registers an image with. The first
// byte says which layer the others are: the text, what its check sum is right for, or what is
// unpacked. What is taken for variables comes back the same.
#include <cstddef>
#include <cstdint>

#include "compute/uefi/aws_data.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/encoding.h"

namespace {

using namespace kiln;
using namespace kiln::compute;

Result<UefiVariables> decode(ByteView input) {
    const ByteView bytes = input.subspan(1);
    switch (input[0] % 3) {
        case 0:
            return decode_uefi_data(as_text(bytes));
        case 1: {
            Bytes all;
            ByteWriter(all).bytes(as_bytes("AMZNUEFI")).le(crc32c(bytes)).bytes(bytes);
            return decode_uefi_data(base64_encode(all));
        }
        default:
            return decode_uefi_entries(bytes);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto variables = decode({data, size});
    if (!variables) {
        INVARIANT(variables.error().code() == Code::invalid_argument);
        return 0;
    }
    if (const auto text = encode_uefi_data(*variables)) {
        const auto again = decode_uefi_data(*text);
        INVARIANT(again && *again == *variables);
    }
    return 0;
}
