// SPDX-License-Identifier: Apache-2.0
// Fuzz target: answers of a reader that a hostile disk has taken over. What is believed can be
// written again, and read as the same.
#include "disks/file_system.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    const std::string_view text = as_text(ByteView(data, size));
    for (const std::size_t count : {0U, 1U, 2U}) {
        const auto findings = disks::decode_findings(text, count);
        if (findings) {
            INVARIANT(findings->size() == count);
            const std::string again = disks::encode_findings(*findings);
            const auto back = disks::decode_findings(again, count);
            INVARIANT(back && disks::encode_findings(*back) == again);
        }
    }
    return 0;
}
