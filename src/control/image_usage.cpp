// SPDX-License-Identifier: Apache-2.0
#include "control/image_usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "control/api_errors.h"
#include "control/idempotency.h"
#include "control/images.h"

namespace kiln::control {
namespace {

constexpr std::string_view kInstances = "ec2:Instance";
constexpr std::string_view kTemplates = "ec2:LaunchTemplate";
constexpr std::string_view kTagType = "image-usage-report";
constexpr std::chrono::hours kKept{24 * 30};
constexpr std::size_t kMaxReports = 1000;  // of an account in a region, which are kept in memory
constexpr std::size_t kMaxNamed = 200;     // accounts, images or reports by one request
constexpr PageLimits kPages{1, 1000};

using Counts = std::map<model::AccountId, std::int64_t>;

template <class T>
Status check_named(const std::vector<T>& list, std::string_view parameter) {
    return list.size() <= kMaxNamed ? ok()
                                    : Status(errors::invalid_parameter_value(fmt::format(
                                          "{} has at most {} members.", parameter, kMaxNamed)));
}

Status check_scope(const DescribeUsageInput& input) {
    TRY(check_named(input.images, "ImageIds"));
    return check_named(input.reports, "ReportIds");
}

Result<model::UsageResourceType> parse_type(const CreateUsageReportInput::Type& type) {
    model::UsageResourceType parsed{type.name, {}};
    if (type.name != kInstances && type.name != kTemplates) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter ResourceType is invalid. It is ec2:Instance or "
                        "ec2:LaunchTemplate.",
                        type.name));
    }
    if (type.name == kTemplates) {
        parsed.version_depth = kDefaultVersionDepth;
    }
    for (const ReferenceOption& option : type.options) {
        if (type.name != kTemplates || option.name != "version-depth") {
            return errors::invalid_parameter_value(fmt::format(
                "The option '{}' is not valid for the resource type {}.", option.name, type.name));
        }
        TRY_ASSIGN(parsed.version_depth, parse_version_depth(option.values));
    }
    return parsed;
}

Result<std::vector<model::UsageResourceType>> parse_types(const CreateUsageReportInput& input) {
    if (input.types.empty()) {
        return errors::missing_parameter("ResourceTypes");
    }
    std::vector<model::UsageResourceType> types;
    for (const auto& type : input.types) {
        TRY_ASSIGN(auto parsed, parse_type(type));
        if (std::any_of(types.begin(), types.end(),
                        [&](const auto& known) { return known.name == parsed.name; })) {
            return errors::invalid_parameter_value(
                fmt::format("The resource type {} is given twice.", type.name));
        }
        types.push_back(std::move(parsed));
    }
    return types;
}

Result<Counts> count_instances(catalog::Transaction& tx, const model::ImageUsageReport& report) {
    catalog::InstanceQuery query;
    query.region = report.region;
    query.images = {report.image_id};
    TRY_ASSIGN(const auto instances, tx.instances().list(query));
    Counts counts;
    for (const model::Instance& instance : instances) {
        if (instance.state != model::InstanceState::terminated) {
            ++counts[instance.owner_id];
        }
    }
    return counts;
}

Result<Counts> count_templates(catalog::Transaction& tx, const model::ImageUsageReport& report,
                               std::int32_t depth) {
    TRY_ASSIGN(const auto templates, templates_naming(tx, report.region, report.image_id));
    Counts counts;
    for (const model::LaunchTemplate& of : templates) {
        TRY_ASSIGN(const bool names, template_names(tx, of.id, report.image_id, depth));
        if (names) {
            ++counts[of.owner_id];
        }
    }
    return counts;
}

Status count(catalog::Transaction& tx, model::ImageUsageReport& report) {
    for (const model::UsageResourceType& type : report.resource_types) {
        TRY_ASSIGN(auto counts, type.name == kInstances
                                    ? count_instances(tx, report)
                                    : count_templates(tx, report, *type.version_depth));
        counts.erase(report.owner_id);  // what others made
        for (const auto& [account, number] : counts) {
            const auto& only = report.accounts;
            if (only.empty() || std::find(only.begin(), only.end(), account) != only.end()) {
                report.entries.push_back({type.name, account, number});
            }
        }
    }
    return ok();
}

catalog::ImageUsageReportQuery of_caller(const Caller& caller) {
    catalog::ImageUsageReportQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

catalog::Cursor cursor_of(const model::ImageUsageReport& report) {
    return {report.created, report.id.str()};
}

// Those whose time is over go when the next one is made.
Status drop_expired(catalog::Transaction& tx, const Caller& caller, UnixMillis now,
                    std::size_t& left) {
    TRY_ASSIGN(const auto present, tx.usage_reports().list(of_caller(caller)));
    left = present.size();
    for (const model::ImageUsageReport& report : present) {
        if (report.expires <= now) {
            TRY(tx.tags().erase_resource(report.id.str()));
            TRY(tx.usage_reports().erase(report.id));
            --left;
        }
    }
    return ok();
}

}  // namespace

const FilterTable<UsageEntryView>& usage_entry_filters() {
    using Values = FilterTable<UsageEntryView>::Values;
    static const std::vector<model::Tag> kNone;
    static const FilterTable<UsageEntryView> table(
        [](const UsageEntryView&) -> const std::vector<model::Tag>& { return kNone; },
        {
            {"account-id",
             [](const UsageEntryView& view) { return Values{view.entry.account.str()}; }},
            {"creation-time",
             [](const UsageEntryView& view) { return Values{format_iso8601(view.created)}; }},
            {"resource-type",
             [](const UsageEntryView& view) { return Values{view.entry.resource_type}; }},
        });
    return table;
}

const FilterTable<UsageReportView>& usage_report_filters() {
    using Values = FilterTable<UsageReportView>::Values;
    static const FilterTable<UsageReportView> table(
        [](const UsageReportView& view) -> const std::vector<model::Tag>& { return view.tags; },
        {
            {"creation-time",
             [](const UsageReportView& view) {
                 return Values{format_iso8601(view.report.created)};
             }},
            {"state",
             [](const UsageReportView& view) {
                 return Values{std::string(model::to_string(view.report.state))};
             }},
        });
    return table;
}

Error usage_report_not_found(const model::ImageUsageReportId& id) {
    return Error::api(Code::not_found, "InvalidImageUsageReportId.NotFound",
                      fmt::format("The image usage report ID '{}' does not exist", id.str()));
}

Result<model::ImageUsageReportId> ImageUsage::insert(catalog::Transaction& tx, const Caller& caller,
                                                     const CreateUsageReportInput& input,
                                                     model::ImageUsageReport report) {
    TRY(find_own_image(tx, caller, input.image));
    std::size_t left = 0;
    TRY(drop_expired(tx, caller, report.created, left));
    if (left >= kMaxReports) {
        return Error::api(Code::resource_exhausted, "ResourceLimitExceeded",
                          fmt::format("There are {} image usage reports already.", kMaxReports));
    }
    TRY(count(tx, report));
    if (input.dry_run) {
        return errors::dry_run();
    }
    TRY(tx.usage_reports().insert(report));
    TRY(put_tags(tx, caller, kTagType, report.id.str(), tags_for(input.tags, kTagType)));
    return report.id;
}

Result<model::ImageUsageReportId> ImageUsage::create(const Caller& caller,
                                                     const CreateUsageReportInput& input) {
    TRY(check_tag_specifications(input.tags, {kTagType}));
    TRY(check_client_token(input.client_token, kLongClientToken));
    TRY(check_named(input.accounts, "AccountIds"));
    model::ImageUsageReport report;
    TRY_ASSIGN(report.resource_types, parse_types(input));
    for (const std::string& account : input.accounts) {
        TRY_ASSIGN(report.accounts.emplace_back(), model::parse_account_id(account));
    }
    report.id = model::make_id<model::ImageUsageReportId>(rng_);
    report.owner_id = caller.account;
    report.region = caller.region;
    report.image_id = input.image;
    report.created = clock_.now();
    report.expires = UnixMillis{report.created.value + std::chrono::milliseconds(kKept).count()};
    const ClientToken token{"CreateImageUsageReport", caller.region, input.client_token,
                            input.request_hash};
    return store_.run([&](catalog::Transaction& tx) -> Result<model::ImageUsageReportId> {
        TRY_ASSIGN(const auto before, find_result(tx, caller, token));
        if (before) {
            if (input.dry_run) {
                return errors::dry_run();  // WIRE-8
            }
            return model::ImageUsageReportId(*before);
        }
        TRY_ASSIGN(const auto id, insert(tx, caller, input, report));
        TRY(remember_result(tx, caller, token, id.str(), report.created));
        return id;
    });
}

// The caller's, not expired, in their order; all that are named by id must be there.
Result<std::vector<model::ImageUsageReport>> ImageUsage::list(catalog::Transaction& tx,
                                                              const Caller& caller,
                                                              const DescribeUsageInput& input) {
    catalog::ImageUsageReportQuery query = of_caller(caller);
    query.images = input.images;
    query.ids = input.reports;
    TRY_ASSIGN(auto reports, tx.usage_reports().list(query));
    const UnixMillis now = clock_.now();
    std::erase_if(reports, [&](const auto& report) { return report.expires <= now; });
    for (const model::ImageUsageReportId& id : input.reports) {
        if (input.images.empty() &&
            std::none_of(reports.begin(), reports.end(),
                         [&](const auto& report) { return report.id == id; })) {
            return usage_report_not_found(id);
        }
    }
    return reports;
}

Result<Page<UsageReportView>> ImageUsage::describe(const Caller& caller,
                                                   const DescribeUsageInput& input) {
    TRY(check_scope(input));
    TRY(usage_report_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kPages));
    TRY_ASSIGN(auto views,
               store_.read([&](catalog::Transaction& tx) -> Result<std::vector<UsageReportView>> {
                   TRY_ASSIGN(auto reports, list(tx, caller, input));
                   std::vector<std::string> ids;
                   for (const auto& report : reports) {
                       ids.push_back(report.id.str());
                   }
                   TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
                   std::vector<UsageReportView> found;
                   for (model::ImageUsageReport& report : reports) {
                       UsageReportView view{{}, tags[report.id.str()]};
                       view.report = std::move(report);
                       if (is_after(cursor_of(view.report), start) &&
                           usage_report_filters().matches(input.filters, view)) {
                           found.push_back(std::move(view));
                       }
                   }
                   return found;
               }));
    if (input.dry_run) {
        return errors::dry_run();
    }
    return cut_page(caller, input.page, start, std::move(views),
                    [](const UsageReportView& view) { return cursor_of(view.report); });
}

Result<Page<UsageEntryView>> ImageUsage::entries(const Caller& caller,
                                                 const DescribeUsageInput& input) {
    TRY(check_scope(input));
    TRY(usage_entry_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kPages));
    TRY_ASSIGN(const auto reports,
               store_.read([&](catalog::Transaction& tx) { return list(tx, caller, input); }));
    // Six digits: an entry's place as text is in the order of the numbers.
    const auto place = [](const UsageEntryView& view) {
        return catalog::Cursor{view.created,
                               fmt::format("{}/{:06}", view.report.str(), view.number)};
    };
    std::vector<UsageEntryView> found;
    for (const model::ImageUsageReport& report : reports) {
        for (std::size_t i = 0; i < report.entries.size(); ++i) {
            UsageEntryView view{report.id, report.image_id, report.created, report.entries[i], i};
            if (is_after(place(view), start) &&
                usage_entry_filters().matches(input.filters, view)) {
                found.push_back(std::move(view));
            }
        }
    }
    if (input.dry_run) {
        return errors::dry_run();
    }
    return cut_page(caller, input.page, start, std::move(found), place);
}

Status ImageUsage::remove(const Caller& caller, const model::ImageUsageReportId& id, bool dry_run) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        catalog::ImageUsageReportQuery query = of_caller(caller);
        query.ids = {id};
        TRY_ASSIGN(const auto found, tx.usage_reports().list(query));
        if (found.empty() || found.front().expires <= clock_.now()) {
            return usage_report_not_found(id);
        }
        if (dry_run) {
            return errors::dry_run();
        }
        TRY(tx.tags().erase_resource(id.str()));
        return tx.usage_reports().erase(id);
    });
}

}  // namespace kiln::control
