// SPDX-License-Identifier: Apache-2.0
// Fuzz target: manifests of provided images. Whatever is accepted names a file of its directory and
// a public parameter. Thread model: pure function.
#include "control/provided_images.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    const auto image = control::parse_provided_image(as_text({data, size}));
    if (!image) {
        INVARIANT(!image.error().message().empty());
        return 0;
    }
    INVARIANT(!image->name.empty() && !image->version.empty());
    INVARIANT(!image->disk.empty() && image->disk.find('/') == std::string::npos);
    INVARIANT(image->parameter.starts_with("/aws/service/"));
    return 0;
}
