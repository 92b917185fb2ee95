// SPDX-License-Identifier: Apache-2.0
// The image that a volume's bytes began as (RI-16): what its instance was launched from, or what
// the snapshot it was made of knows. It may be gone, and it may be another account's. Thread model:
// plain values.
#pragma once

#include <string>

#include "model/ids.h"

namespace kiln::model {

struct SourceImage {
    ImageId id;
    std::string region;
    friend bool operator==(const SourceImage&, const SourceImage&) = default;
};

}  // namespace kiln::model
