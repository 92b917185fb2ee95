// SPDX-License-Identifier: Apache-2.0
// Describing launch templates and their versions (LT-9).
#include <algorithm>
#include <set>

#include "control/api_errors.h"
#include "control/launch_templates.h"
#include "control/template_lookup.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{1, 200};   // PAG-2
constexpr std::size_t kMaxNamed = 200;  // templates or versions in one request

catalog::Cursor cursor_of(const model::LaunchTemplate& of) {
    return {of.created, of.id.str()};
}

catalog::Cursor version_cursor(const model::LaunchTemplateVersion& version) {
    return {version.created, version.id().str()};
}

Status check_count(std::size_t count) {
    return count <= kMaxNamed ? ok()
                              : Status(errors::invalid_parameter_value(
                                    "At most 200 items may be named by one request."));
}

// LT-4: one that is missing is named, of several none is.
Result<std::vector<model::LaunchTemplate>> named_templates(
    catalog::Transaction& tx, const Caller& caller, const DescribeLaunchTemplatesInput& input) {
    catalog::LaunchTemplateQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.ids = input.ids;
    query.names = input.names;
    TRY_ASSIGN(auto found, tx.launch_templates().list(query));
    const std::set<model::LaunchTemplateId> ids(input.ids.begin(), input.ids.end());
    const std::set<std::string> names(input.names.begin(), input.names.end());
    if (found.size() == ids.size() + names.size()) {
        return found;
    }
    if (!names.empty()) {
        return names.size() == 1
                   ? template_name_not_found(*names.begin())
                   : templates_not_found("InvalidLaunchTemplateName.NotFoundException");
    }
    return ids.size() == 1 ? launch_template_not_found(*ids.begin())
                           : templates_not_found("InvalidLaunchTemplateId.NotFound");
}

Status check_versions_input(const DescribeTemplateVersionsInput& input) {
    const bool range = !input.min_version.empty() || !input.max_version.empty();
    if (range && !input.versions.empty()) {
        return errors::invalid_parameter_combination(
            "Versions may not be given together with MinVersion or MaxVersion.");
    }
    return check_count(input.versions.size());
}

// The rows of one template that the request asks for; a version that is not there is an error.
Result<catalog::LaunchTemplateVersionQuery> versions_query(
    catalog::Transaction& tx, const model::LaunchTemplate& of,
    const DescribeTemplateVersionsInput& input) {
    catalog::LaunchTemplateVersionQuery query;
    query.of = of.id;
    query.page.newest_first = true;
    for (const std::string& text : input.versions) {
        TRY_ASSIGN(const VersionName name, parse_version(text));
        TRY_ASSIGN(const auto version, find_version(tx, of, number_of(name, of)));
        query.numbers.push_back(version.number);
    }
    if (!input.min_version.empty()) {
        TRY_ASSIGN(const VersionName name, parse_version(input.min_version));
        query.lowest = number_of(name, of);
    }
    if (!input.max_version.empty()) {
        TRY_ASSIGN(const VersionName name, parse_version(input.max_version));
        query.highest = number_of(name, of);
    }
    return query;
}

Result<Page<TemplateVersionView>> versions_of_one(catalog::Transaction& tx, const Caller& caller,
                                                  const DescribeTemplateVersionsInput& input,
                                                  const PageStart& start) {
    TRY_ASSIGN(const auto of, find_template(tx, caller, input.of));
    TRY_ASSIGN(const auto query, versions_query(tx, of, input));
    const auto list = [&](const PageStart& piece) {
        auto part = query;
        part.page.after = piece.after;
        part.page.limit = piece.limit.value_or(0);
        return tx.launch_template_versions().list(part);
    };
    const auto shown = [&](std::vector<model::LaunchTemplateVersion> rows)
        -> Result<std::vector<TemplateVersionView>> {
        std::vector<TemplateVersionView> views;
        for (model::LaunchTemplateVersion& row : rows) {
            TemplateVersionView view{of, std::move(row)};
            if (template_version_filters().matches(input.filters, view)) {
                views.push_back(std::move(view));
            }
        }
        return views;
    };
    TRY_ASSIGN(auto views, read_page<TemplateVersionView>(start, !input.filters.empty(), list,
                                                          version_cursor, shown));
    return cut_page(caller, input.page, start, std::move(views),
                    [](const TemplateVersionView& view) { return version_cursor(view.version); });
}

// LT-9: the latest and the default versions of every template of the caller.
Result<Page<TemplateVersionView>> versions_of_all(catalog::Transaction& tx, const Caller& caller,
                                                  const DescribeTemplateVersionsInput& input,
                                                  const PageStart& start) {
    std::vector<VersionName> wanted;
    for (const std::string& text : input.versions) {
        TRY_ASSIGN(wanted.emplace_back(), parse_version(text));
        if (wanted.back().kind == VersionName::Kind::number) {
            return errors::missing_parameter("LaunchTemplateId or LaunchTemplateName");
        }
    }
    if (wanted.empty()) {
        return errors::missing_parameter("LaunchTemplateId or LaunchTemplateName");
    }
    catalog::LaunchTemplateQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    TRY_ASSIGN(const auto templates, tx.launch_templates().list(query));
    const auto place = [](const TemplateVersionView& view) {
        return catalog::Cursor{view.of.created, view.version.id().str()};
    };
    std::vector<TemplateVersionView> views;
    for (const model::LaunchTemplate& of : templates) {
        std::set<std::int64_t> numbers;
        for (const VersionName& name : wanted) {
            numbers.insert(number_of(name, of));
        }
        for (const std::int64_t number : numbers) {
            TemplateVersionView view{of, {}};
            view.version.template_id = of.id;
            view.version.number = number;
            if (!is_after(place(view), start)) {
                continue;
            }
            TRY_ASSIGN(view.version, find_version(tx, of, number));
            if (template_version_filters().matches(input.filters, view)) {
                views.push_back(std::move(view));
            }
        }
        if (start.limit && views.size() > *start.limit) {
            break;
        }
    }
    return cut_page(caller, input.page, start, std::move(views), place);
}

}  // namespace

Result<Page<LaunchTemplateView>> LaunchTemplates::describe(
    const Caller& caller, const DescribeLaunchTemplatesInput& input) {
    TRY(template_filters().check(input.filters));
    if (!input.ids.empty() && !input.names.empty()) {  // LT-4
        return errors::invalid_parameter_combination(
            "The parameters LaunchTemplateId and LaunchTemplateName may not be given together.");
    }
    TRY(check_count(input.ids.size() + input.names.size()));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return store_.read([&](catalog::Transaction& tx) -> Result<Page<LaunchTemplateView>> {
        const auto list = [&](const PageStart& piece) {
            catalog::LaunchTemplateQuery query;
            query.region = caller.region;
            query.owners = {caller.account};
            query.page.after = piece.after;
            query.page.limit = piece.limit.value_or(0);
            return tx.launch_templates().list(query);
        };
        const auto shown = [&](std::vector<model::LaunchTemplate> rows)
            -> Result<std::vector<LaunchTemplateView>> {
            TRY_ASSIGN(auto views, load_template_views(tx, caller, std::move(rows)));
            std::erase_if(views, [&](const LaunchTemplateView& view) {
                return !template_filters().matches(input.filters, view);
            });
            return views;
        };
        std::vector<LaunchTemplateView> views;
        if (input.ids.empty() && input.names.empty()) {
            TRY_ASSIGN(views, read_page<LaunchTemplateView>(start, !input.filters.empty(), list,
                                                            cursor_of, shown));
        } else {
            TRY_ASSIGN(auto named, named_templates(tx, caller, input));
            std::erase_if(named, [&](const model::LaunchTemplate& of) {
                return !is_after(cursor_of(of), start);
            });
            TRY_ASSIGN(views, shown(std::move(named)));
        }
        return cut_page(caller, input.page, start, std::move(views),
                        [](const LaunchTemplateView& view) { return cursor_of(view.of); });
    });
}

Result<Page<TemplateVersionView>> LaunchTemplates::describe_versions(
    const Caller& caller, const DescribeTemplateVersionsInput& input) {
    TRY(template_version_filters().check(input.filters));
    TRY(check_versions_input(input));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    return store_.read([&](catalog::Transaction& tx) -> Result<Page<TemplateVersionView>> {
        if (input.of.id.empty() && input.of.name.empty()) {
            return versions_of_all(tx, caller, input, start);
        }
        return versions_of_one(tx, caller, input, start);
    });
}

}  // namespace kiln::control
