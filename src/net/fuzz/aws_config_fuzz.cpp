// SPDX-License-Identifier: Apache-2.0
// Fuzz target: a shared configuration file. Beyond not crashing: keys are lower case and neither
// key nor section is empty.
#include "net/aws_config.h"
#include "util/bytes.h"
#include "util/check.h"
#include "util/strings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const kiln::Result<kiln::net::AwsFile> file =
        kiln::net::parse_aws_file(kiln::as_text({data, size}));
    if (!file) {
        return 0;
    }
    for (const auto& [section, settings] : *file) {
        INVARIANT(!section.empty());
        for (const auto& [key, value] : settings) {
            INVARIANT(!key.empty() && key == kiln::to_lower(key));
            INVARIANT(value.find('\n') == value.npos);
        }
    }
    return 0;
}
