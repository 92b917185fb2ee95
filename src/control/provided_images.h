// SPDX-License-Identifier: Apache-2.0
// ProvidedImages: the images a service offers to everybody from its first start on, owned by the
// account with the alias `amazon` (PRV-1 to PRV-4). They lie in a directory: a manifest NAME.json
// (docs/formats/provided-image.md) beside the disk it names.
//
// An image is imported once into the first region of the topology; the other regions have rows of
// their own over the same content. What is there already, in any state, is left alone, so that
// provide() can be repeated after a kill and at every start.
//
// Thread-safe, blocking.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/imports.h"
#include "control/parts.h"
#include "model/machine.h"

namespace kiln::control {

struct ProvidedImage {
    std::string name;     // "tiny-linux"; the image's is "tiny-linux-VERSION"
    std::string version;  // names these bytes
    std::string description;
    std::string disk;  // a raw disk, relative to the manifest
    model::Architecture architecture = model::Architecture::x86_64;
    std::optional<model::BootMode> boot_mode;
    std::string root_device_name;
    std::string parameter;  // the SSM parameter that names the newest version
    friend bool operator==(const ProvidedImage&, const ProvidedImage&) = default;
};

// The error names the member that is wrong.
Result<ProvidedImage> parse_provided_image(std::string_view text);
// PAR-1: below /aws/service/.
bool is_public_parameter_name(std::string_view name);

class ProvidedImages {
  public:
    ProvidedImages(const Parts& parts, Imports& imports) : parts_(parts), imports_(imports) {}

    // Every image of the directory. One that fails is logged and does not keep the others away.
    // Returns when all are done, or `stop` is set.
    void provide(const std::string& directory, const std::atomic<bool>& stop);
    // One manifest. `cancelled` when stopped.
    Status provide_one(const std::string& manifest, const std::atomic<bool>& stop);

    // PRV-5: an image streamed in by an administrator, to be provided as
    // input.image.public_parameter. Refuses other callers, and names that are none.
    Result<std::unique_ptr<Import>> begin(const Caller& caller, ImportInput input);
    // After its finish(): into all regions. The image of the caller's region.
    Result<model::ImageId> spread(const Caller& caller, const model::ImageId& image);

  private:
    Status ensure_account();
    // An image of this name of the provider, wherever it is; also a deregistered one.
    Result<std::optional<model::Image>> find(const std::string& name);
    Result<std::unique_ptr<Import>> begin_as_provider(ImportInput input);
    Result<model::Image> import(const ProvidedImage& image, const std::string& disk,
                                const std::atomic<bool>& stop);
    Status spread(const model::Image& image);

    const Parts parts_;
    Imports& imports_;
};

}  // namespace kiln::control
