// SPDX-License-Identifier: Apache-2.0
// ImageRelations: what an image comes from (AN-1), what of the caller's own names it (AN-2), and
// which images the caller's instances were launched from (AN-4). Only reads. Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/topology.h"
#include "model/image.h"
#include "model/instance.h"
#include "model/tag.h"

namespace kiln::control {

inline constexpr std::int32_t kDefaultVersionDepth = 10;
// Of the option version-depth; InvalidParameterValue.
Result<std::int32_t> parse_version_depth(const std::vector<std::string>& values);

enum class ReferenceType { instance, launch_template, parameter, image_recipe, container_recipe };
constexpr auto enum_names(ReferenceType) {
    using R = ReferenceType;
    return std::to_array<model::EnumName<R>>(
        {{R::instance, "ec2:Instance"},
         {R::launch_template, "ec2:LaunchTemplate"},
         {R::parameter, "ssm:Parameter"},
         {R::image_recipe, "imagebuilder:ImageRecipe"},
         {R::container_recipe, "imagebuilder:ContainerRecipe"}});
}

struct ReferenceOption {
    std::string name;
    std::vector<std::string> values;
};

struct ReferenceRequest {
    ReferenceType type = ReferenceType::instance;
    std::vector<ReferenceOption> options;
};

struct DescribeReferencesInput {
    std::vector<model::ImageId> images;
    bool all_types = false;
    std::vector<ReferenceRequest> types;
    PageRequest page;
    bool dry_run = false;
};

struct ImageReference {
    model::ImageId image;
    ReferenceType type = ReferenceType::instance;
    std::string arn;
};

struct DescribeInstanceImagesInput {
    std::vector<model::InstanceId> ids;
    std::vector<Filter> filters;
    PageRequest page;
    bool dry_run = false;
};

struct InstanceImage {
    model::Instance instance;
    std::string zone_id;
    std::vector<model::Tag> tags;
    std::optional<model::Image> image;  // if the caller may see it
};

const FilterTable<InstanceImage>& instance_image_filters();

class ImageRelations {
  public:
    ImageRelations(catalog::Store& store, const Topology& topology)
        : store_(store), topology_(topology) {}

    // The image and its ancestors, up to one whose source is not known. Those that are deregistered
    // are among them, and those that the caller may not use.
    Result<std::vector<model::Image>> ancestry(const Caller& caller, const model::ImageId& id,
                                               bool dry_run);
    Result<Page<ImageReference>> references(const Caller& caller,
                                            const DescribeReferencesInput& input);
    Result<Page<InstanceImage>> instance_images(const Caller& caller,
                                                const DescribeInstanceImagesInput& input);

  private:
    catalog::Store& store_;
    const Topology& topology_;
};

// Whether one of the newest `depth` versions of the template names the image.
Result<bool> template_names(catalog::Transaction& tx, const model::LaunchTemplateId& id,
                            const model::ImageId& image, std::int32_t depth);
// The templates of the region that have a version which names the image.
Result<std::vector<model::LaunchTemplate>> templates_naming(catalog::Transaction& tx,
                                                            const std::string& region,
                                                            const model::ImageId& image);

}  // namespace kiln::control
