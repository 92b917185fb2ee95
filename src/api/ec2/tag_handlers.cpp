// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/create_tags.h"
#include "api/generated/ec2/delete_tags.h"
#include "api/generated/ec2/describe_tags.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<Void> create(const Services& services, const Context& context,
                    const CreateTagsRequest& request) {
    std::vector<model::Tag> tags;
    for (const Tag& tag : request.tags) {
        tags.push_back({tag.key.value_or(""), tag.value.value_or("")});
    }
    TRY(services.tags.create(context.caller, request.resources.items(), tags,
                             request.dry_run.value_or(false)));
    return Void{};
}

Result<Void> remove(const Services& services, const Context& context,
                    const DeleteTagsRequest& request) {
    std::vector<control::TagToRemove> tags;
    for (const Tag& tag : request.tags) {
        tags.push_back({tag.key.value_or(""), tag.value});
    }
    TRY(services.tags.remove(context.caller, request.resources.items(), tags,
                             request.dry_run.value_or(false)));
    return Void{};
}

Result<DescribeTagsResult> describe(const Services& services, const Context& context,
                                    const DescribeTagsRequest& request) {
    control::DescribeTagsInput input;
    input.filters = to_filters(request.filters);
    if (request.max_results.has_value()) {
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = context.request_hash;
    TRY_ASSIGN(const auto page, services.tags.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeTagsResult result;
    result.tags.give();
    for (const catalog::TagRecord& record : page.items) {
        TagDescription& out = result.tags.emplace_back();
        out.resource_id = record.target.resource_id;
        out.resource_type = record.target.resource_type;
        out.key = record.tag.key;
        out.value = record.tag.value;
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

}  // namespace

void add_tag_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateTags>([services](Context& context, const CreateTagsRequest& request) {
        return create(services, context, request);
    });
    registry.add<ops::DeleteTags>([services](Context& context, const DeleteTagsRequest& request) {
        return remove(services, context, request);
    });
    registry.add<ops::DescribeTags>(
        [services](Context& context, const DescribeTagsRequest& request) {
            return describe(services, context, request);
        });
}

}  // namespace kiln::api
