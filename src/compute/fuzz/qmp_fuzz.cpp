// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: any line must parse or be refused, and what parses must obey the codec's
// promises.
#include <cstddef>
#include <cstdint>

#include "compute/qemu/qmp.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using kiln::compute::QmpMessage;
    const auto message = kiln::compute::parse_qmp_line({reinterpret_cast<const char*>(data), size});
    if (message) {
        INVARIANT(size <= kiln::compute::kMaxQmpLineBytes);
        INVARIANT(message->kind == QmpMessage::Kind::failure || message->description.empty());
        (void)message->string("status");
        (void)message->flag("guest");
    }
    return 0;
}
