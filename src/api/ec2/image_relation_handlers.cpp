// SPDX-License-Identifier: Apache-2.0
// What images come from and what names them (AN-1, AN-2, AN-4), and the format of ids, which has
// been the long one for all resources since 2018 (ID-1).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/describe_aggregate_id_format.h"
#include "api/generated/ec2/describe_id_format.h"
#include "api/generated/ec2/describe_image_references.h"
#include "api/generated/ec2/describe_instance_image_metadata.h"
#include "api/generated/ec2/get_image_ancestry.h"
#include "control/api_errors.h"
#include "control/image_rules.h"

namespace kiln::api {
namespace {

using namespace ec2;

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

// TIME-1
UnixMillis in_seconds(UnixMillis time) {
    constexpr std::int64_t kSecond = 1000;
    return UnixMillis{time.value / kSecond * kSecond};
}

Result<GetImageAncestryResult> ancestry(const Services& services, const Context& context,
                                        const GetImageAncestryRequest& request) {
    if (!given(request.image_id)) {
        return control::errors::missing_parameter("ImageId");
    }
    TRY_ASSIGN(const auto id, model::parse_image_id(*request.image_id));
    TRY_ASSIGN(const auto chain, services.image_relations.ancestry(
                                     context.caller, id, request.dry_run.value_or(false)));
    GetImageAncestryResult result;
    result.image_ancestry_entries.give();
    for (const model::Image& image : chain) {
        ImageAncestryEntry& entry = result.image_ancestry_entries.emplace_back();
        entry.creation_date = in_seconds(image.created);
        entry.image_id = image.id.str();
        entry.image_owner_alias = unless_empty(image.owner_alias);
        entry.source_image_id = unless_empty(image.source_image_id.str());
        entry.source_image_region = unless_empty(image.source_image_region);
    }
    return result;
}

Result<control::ReferenceRequest> to_request(const ResourceTypeRequest& from) {
    control::ReferenceRequest to;
    const auto type = model::parse<control::ReferenceType>(from.resource_type.value_or(""));
    if (!type) {
        return bad_enum(from.resource_type.value_or(""), "ResourceType");
    }
    to.type = *type;
    for (const ResourceTypeOption& option : from.resource_type_options) {
        to.options.push_back({option.option_name.value_or(""), option.option_values.items()});
    }
    return to;
}

Result<DescribeImageReferencesResult> references(const Services& services, const Context& context,
                                                 const DescribeImageReferencesRequest& request) {
    control::DescribeReferencesInput input;
    for (const std::string& id : request.image_ids) {
        TRY_ASSIGN(input.images.emplace_back(), model::parse_image_id(id));
    }
    input.all_types = request.include_all_resource_types.value_or(false);
    for (const ResourceTypeRequest& type : request.resource_types) {
        TRY_ASSIGN(input.types.emplace_back(), to_request(type));
    }
    input.page = page_of(context, request);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto page, services.image_relations.references(context.caller, input));
    DescribeImageReferencesResult result;
    result.image_references.give();
    for (const control::ImageReference& reference : page.items) {
        ImageReference& to = result.image_references.emplace_back();
        to.image_id = reference.image.str();
        to.resource_type = std::string(model::to_string(reference.type));
        to.arn = reference.arn;
    }
    set_token(result.next_token, page.next_token);
    return result;
}

ImageMetadata from_metadata(const control::InstanceImage& item) {
    ImageMetadata to;
    to.image_id = item.instance.image_id.str();
    if (!item.image) {
        return to;  // AN-4: no more than what the instance itself says
    }
    const model::Image& image = *item.image;
    to.name = unless_empty(image.name);
    to.owner_id = image.owner_id.str();
    to.state = std::string(model::to_string(image.state));
    to.image_owner_alias = unless_empty(image.owner_alias);
    to.creation_date = control::whole_seconds(image.created);
    if (image.deprecation_time) {
        to.deprecation_time = control::whole_seconds(*image.deprecation_time);
    }
    to.image_allowed = true;
    to.is_public = image.launch_permissions.everybody;
    return to;
}

Result<DescribeInstanceImageMetadataResult> instance_images(
    const Services& services, const Context& context,
    const DescribeInstanceImageMetadataRequest& request) {
    control::DescribeInstanceImagesInput input;
    for (const std::string& id : request.instance_ids) {
        TRY_ASSIGN(input.ids.emplace_back(), model::parse_instance_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto page, services.image_relations.instance_images(context.caller, input));
    DescribeInstanceImageMetadataResult result;
    result.instance_image_metadata.give();
    for (const control::InstanceImage& item : page.items) {
        InstanceImageMetadata& to = result.instance_image_metadata.emplace_back();
        to.instance_id = item.instance.id.str();
        to.instance_type = item.instance.instance_type;
        to.launch_time = in_seconds(item.instance.launched);
        to.availability_zone = item.instance.availability_zone;
        to.zone_id = item.zone_id;
        to.state = from_state(item.instance.state);
        to.owner_id = item.instance.owner_id.str();
        to.tags = from_tags(item.tags);
        to.operator_ = unmanaged();
        to.image_metadata = from_metadata(item);
    }
    set_token(result.next_token, page.next_token);
    return result;
}

constexpr const char* kLongIds[] = {
    "bundle",      "conversion-task", "image",    "instance", "network-interface",
    "reservation", "security-group",  "snapshot", "subnet",   "volume",
    "vpc"};

template <class Result>
void fill_formats(Result& result, const std::string& only) {
    result.statuses.give();
    for (const char* resource : kLongIds) {
        if (only.empty() || only == resource) {
            IdFormat& format = result.statuses.emplace_back();
            format.resource = resource;
            format.use_long_ids = true;
        }
    }
}

}  // namespace

void add_image_relation_handlers(Registry& registry, Services services) {
    registry.add<ops::GetImageAncestry>(
        [services](Context& context, const GetImageAncestryRequest& request) {
            return ancestry(services, context, request);
        });
    registry.add<ops::DescribeImageReferences>(
        [services](Context& context, const DescribeImageReferencesRequest& request) {
            return references(services, context, request);
        });
    registry.add<ops::DescribeInstanceImageMetadata>(
        [services](Context& context, const DescribeInstanceImageMetadataRequest& request) {
            return instance_images(services, context, request);
        });
    registry.add<ops::DescribeIdFormat>(
        [](Context&, const DescribeIdFormatRequest& request) -> Result<DescribeIdFormatResult> {
            DescribeIdFormatResult result;
            fill_formats(result, request.resource.value_or(""));
            if (result.statuses.empty()) {
                return bad_enum(*request.resource, "Resource");
            }
            return result;
        });
    registry.add<ops::DescribeAggregateIdFormat>(
        [](Context&, const DescribeAggregateIdFormatRequest& request)
            -> Result<DescribeAggregateIdFormatResult> {
            if (request.dry_run.value_or(false)) {
                return control::errors::dry_run();
            }
            DescribeAggregateIdFormatResult result;
            fill_formats(result, "");
            result.use_long_ids_aggregated = true;
            return result;
        });
}

}  // namespace kiln::api
