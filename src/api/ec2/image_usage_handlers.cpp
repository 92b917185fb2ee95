// SPDX-License-Identifier: Apache-2.0
// Reports of what other accounts made of an image (AN-3).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/create_image_usage_report.h"
#include "api/generated/ec2/delete_image_usage_report.h"
#include "api/generated/ec2/describe_image_usage_report_entries.h"
#include "api/generated/ec2/describe_image_usage_reports.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<CreateImageUsageReportResult> create(const Services& services, const Context& context,
                                            const CreateImageUsageReportRequest& request) {
    control::CreateUsageReportInput input;
    if (!given(request.image_id)) {
        return control::errors::missing_parameter("ImageId");
    }
    TRY_ASSIGN(input.image, model::parse_image_id(*request.image_id));
    for (const ImageUsageResourceTypeRequest& type : request.resource_types) {
        auto& to = input.types.emplace_back();
        to.name = type.resource_type.value_or("");
        for (const ImageUsageResourceTypeOptionRequest& option : type.resource_type_options) {
            to.options.push_back({option.option_name.value_or(""), option.option_values.items()});
        }
    }
    input.accounts = request.account_ids.items();
    input.tags = to_tags(request.tag_specifications);
    input.client_token = request.client_token.value_or("");
    input.request_hash = context.request_hash;
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto id, services.image_usage.create(context.caller, input));
    CreateImageUsageReportResult result;
    result.report_id = id.str();
    return result;
}

template <class Request>
Result<control::DescribeUsageInput> to_input(const Context& context, const Request& request) {
    control::DescribeUsageInput input;
    for (const std::string& id : request.image_ids) {
        TRY_ASSIGN(input.images.emplace_back(), model::parse_image_id(id));
    }
    for (const std::string& id : request.report_ids) {
        TRY_ASSIGN(input.reports.emplace_back(), model::parse_image_usage_report_id(id));
    }
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

ImageUsageReport from_report(const control::UsageReportView& view) {
    const model::ImageUsageReport& from = view.report;
    ImageUsageReport to;
    to.image_id = from.image_id.str();
    to.report_id = from.id.str();
    to.resource_types.give();
    for (const model::UsageResourceType& type : from.resource_types) {
        ImageUsageResourceType& item = to.resource_types.emplace_back();
        item.resource_type = type.name;
        if (type.version_depth) {
            ImageUsageResourceTypeOption& option = item.resource_type_options.emplace_back();
            option.option_name = "version-depth";
            option.option_values.push_back(std::to_string(*type.version_depth));
        }
    }
    to.account_ids.give();
    for (const model::AccountId& account : from.accounts) {
        to.account_ids.push_back(account.str());
    }
    to.state = std::string(model::to_string(from.state));
    if (!from.state_reason.empty()) {
        to.state_reason = from.state_reason;
    }
    to.creation_time = from.created;
    to.expiration_time = from.expires;
    to.tags = from_tags(view.tags);
    return to;
}

Result<DescribeImageUsageReportsResult> describe(const Services& services, const Context& context,
                                                 const DescribeImageUsageReportsRequest& request) {
    TRY_ASSIGN(const auto input, to_input(context, request));
    TRY_ASSIGN(const auto page, services.image_usage.describe(context.caller, input));
    DescribeImageUsageReportsResult result;
    result.image_usage_reports.give();
    for (const control::UsageReportView& view : page.items) {
        result.image_usage_reports.push_back(from_report(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeImageUsageReportEntriesResult> entries(
    const Services& services, const Context& context,
    const DescribeImageUsageReportEntriesRequest& request) {
    TRY_ASSIGN(const auto input, to_input(context, request));
    TRY_ASSIGN(const auto page, services.image_usage.entries(context.caller, input));
    DescribeImageUsageReportEntriesResult result;
    result.image_usage_report_entries.give();
    for (const control::UsageEntryView& view : page.items) {
        ImageUsageReportEntry& entry = result.image_usage_report_entries.emplace_back();
        entry.resource_type = view.entry.resource_type;
        entry.report_id = view.report.str();
        entry.usage_count = view.entry.count;
        entry.account_id = view.entry.account.str();
        entry.image_id = view.image.str();
        entry.report_creation_time = view.created;
    }
    set_token(result.next_token, page.next_token);
    return result;
}

}  // namespace

void add_image_usage_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateImageUsageReport>(
        [services](Context& context, const CreateImageUsageReportRequest& request) {
            return create(services, context, request);
        });
    registry.add<ops::DescribeImageUsageReports>(
        [services](Context& context, const DescribeImageUsageReportsRequest& request) {
            return describe(services, context, request);
        });
    registry.add<ops::DescribeImageUsageReportEntries>(
        [services](Context& context, const DescribeImageUsageReportEntriesRequest& request) {
            return entries(services, context, request);
        });
    registry.add<ops::DeleteImageUsageReport>(
        [services](
            Context& context,
            const DeleteImageUsageReportRequest& request) -> Result<DeleteImageUsageReportResult> {
            if (!given(request.report_id)) {
                return control::errors::missing_parameter("ReportId");
            }
            TRY_ASSIGN(const auto id, model::parse_image_usage_report_id(*request.report_id));
            TRY(services.image_usage.remove(context.caller, id, request.dry_run.value_or(false)));
            DeleteImageUsageReportResult result;
            result.return_ = true;
            return result;
        });
}

}  // namespace kiln::api
