// SPDX-License-Identifier: Apache-2.0
// ImageCopies: CopyImage within a region and across regions (CP-1 to CP-9). A copy names the
// contents its source names, so it is made in one transaction, whatever the size: nothing is sent,
// and the copy stays whole when its source goes (CP-12, CP-13). Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/parts.h"
#include "control/places.h"
#include "control/tagging.h"
#include "model/image.h"
#include "model/snapshot.h"

namespace kiln::control {

struct CopyImageInput {
    std::string name;
    std::optional<std::string> description;  // CP-5
    std::string source_region;
    model::ImageId source_image_id;
    PlaceInput place{};  // REG-7
    bool copy_tags = false;
    std::vector<TagSpecification> tags;  // of the image and of its snapshots
    std::optional<std::int64_t> completion_minutes;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

class ImageCopies {
  public:
    explicit ImageCopies(const Parts& parts) : parts_(parts) {}

    // Into the caller's region.
    Result<model::ImageId> copy(const Caller& caller, const CopyImageInput& input);

  private:
    Result<model::ImageId> copy(catalog::Transaction& tx, const Caller& caller,
                                const CopyImageInput& input);

    const Parts parts_;
};

// Gives `image` snapshots of its own instead of those it names: `copy_of` each.
using CopyOf = std::function<Result<model::Snapshot>(const model::Snapshot& source)>;
Status copy_snapshots(catalog::Transaction& tx, model::Image& image, const CopyOf& copy_of);

}  // namespace kiln::control
