// SPDX-License-Identifier: Apache-2.0
#include "control/template_lookup.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/template_data.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::string_view kIdNotFound = "InvalidLaunchTemplateId.NotFound";
constexpr std::string_view kNameNotFound = "InvalidLaunchTemplateName.NotFoundException";

using VersionValues = FilterTable<TemplateVersionView>::Values;

// A filter on a member of the data.
FilterTable<TemplateVersionView>::Getter data_at(std::vector<std::string> path) {
    return [path = std::move(path)](const TemplateVersionView& view) {
        return template_values(view.version.data, path);
    };
}

}  // namespace

Error launch_template_not_found(const model::LaunchTemplateId& id) {
    return Error::api(Code::not_found, std::string(kIdNotFound),
                      fmt::format("The specified launch template, with template ID {}, does not "
                                  "exist.",
                                  id.str()));
}

Error template_name_not_found(const std::string& name) {
    return Error::api(Code::not_found, std::string(kNameNotFound),
                      fmt::format("The specified launch template, with template name {}, does not "
                                  "exist.",
                                  name));
}

Error templates_not_found(std::string_view code) {
    return Error::api(Code::not_found, std::string(code),
                      "At least one of the launch templates specified in the request does not "
                      "exist.");
}

Error version_not_found(const model::LaunchTemplate& of, const std::string& version) {
    return Error::api(Code::not_found, "InvalidLaunchTemplateId.VersionNotFound",
                      fmt::format("Could not find the specified version {} for the launch template "
                                  "with ID {}.",
                                  version, of.id.str()));
}

Result<VersionName> parse_version(const std::string& text) {
    if (text == "$Latest") {
        return VersionName{VersionName::Kind::latest, 0};
    }
    if (text == "$Default") {
        return VersionName{VersionName::Kind::marked_default, 0};
    }
    const auto number = parse_int<std::int64_t>(text);
    if (!number || *number < 1) {
        return errors::invalid_parameter_value(
            "Invalid launch template version: either '$Default', '$Latest', or a numeric version "
            "are allowed.");
    }
    return VersionName{VersionName::Kind::number, *number};
}

std::int64_t number_of(const VersionName& version, const model::LaunchTemplate& of) {
    switch (version.kind) {
        case VersionName::Kind::latest:
            return of.latest_version;
        case VersionName::Kind::marked_default:
            return of.default_version;
        case VersionName::Kind::number:
            break;
    }
    return version.number;
}

Result<model::LaunchTemplate> find_template(catalog::Transaction& tx, const Caller& caller,
                                            const TemplateName& name) {
    if (!name.id.empty() && !name.name.empty()) {
        return errors::invalid_parameter_combination(
            "The parameters LaunchTemplateId and LaunchTemplateName may not be given together.");
    }
    if (name.id.empty() && name.name.empty()) {
        return errors::missing_parameter("LaunchTemplateId or LaunchTemplateName");
    }
    if (!name.id.empty()) {
        TRY_ASSIGN(const auto id, model::parse_launch_template_id(name.id));
        TRY_ASSIGN(auto found, tx.launch_templates().find(id));
        if (!found || found->owner_id != caller.account || found->region != caller.region) {
            return launch_template_not_found(id);
        }
        return std::move(*found);
    }
    catalog::LaunchTemplateQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.names = {name.name};
    TRY_ASSIGN(auto found, tx.launch_templates().list(query));
    if (found.empty()) {
        return template_name_not_found(name.name);
    }
    return std::move(found.front());
}

Result<model::LaunchTemplateVersion> find_version(catalog::Transaction& tx,
                                                  const model::LaunchTemplate& of,
                                                  std::int64_t number) {
    model::LaunchTemplateVersion wanted;
    wanted.template_id = of.id;
    wanted.number = number;
    TRY_ASSIGN(auto found, tx.launch_template_versions().find(wanted.id()));
    if (!found) {
        return version_not_found(of, std::to_string(number));
    }
    return std::move(*found);
}

Result<std::vector<LaunchTemplateView>> load_template_views(
    catalog::Transaction& tx, const Caller& caller, std::vector<model::LaunchTemplate> templates) {
    std::vector<std::string> ids;
    ids.reserve(templates.size());
    for (const model::LaunchTemplate& one : templates) {
        ids.push_back(one.id.str());
    }
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
    std::vector<LaunchTemplateView> views;
    views.reserve(templates.size());
    for (model::LaunchTemplate& one : templates) {
        auto& own = tags[one.id.str()];
        views.push_back({std::move(one), std::move(own)});
    }
    return views;
}

const FilterTable<LaunchTemplateView>& template_filters() {
    using Values = FilterTable<LaunchTemplateView>::Values;
    static const FilterTable<LaunchTemplateView> table(
        [](const LaunchTemplateView& view) -> const std::vector<model::Tag>& { return view.tags; },
        {{"create-time",
          [](const LaunchTemplateView& view) { return Values{format_iso8601(view.of.created)}; }},
         {"launch-template-name",
          [](const LaunchTemplateView& view) { return Values{view.of.name}; }}});
    return table;
}

const FilterTable<TemplateVersionView>& template_version_filters() {
    using Getters = std::map<std::string, FilterTable<TemplateVersionView>::Getter, std::less<>>;
    static const std::vector<model::Tag> kNoTags;  // LT-11: versions have none
    static const FilterTable<TemplateVersionView> table = [] {
        Getters getters;
        getters["create-time"] = [](const TemplateVersionView& view) {
            return VersionValues{format_iso8601(view.version.created)};
        };
        getters["is-default-version"] = [](const TemplateVersionView& view) {
            return VersionValues{view.is_default() ? "true" : "false"};
        };
        getters["ebs-optimized"] = data_at({"EbsOptimized"});
        getters["http-endpoint"] = data_at({"MetadataOptions", "HttpEndpoint"});
        getters["http-protocol-ipv4"] = data_at({"MetadataOptions", "HttpEndpoint"});
        getters["http-tokens"] = data_at({"MetadataOptions", "HttpTokens"});
        getters["host-resource-group-arn"] = data_at({"Placement", "HostResourceGroupArn"});
        getters["iam-instance-profile"] = data_at({"IamInstanceProfile", "Arn"});
        getters["image-id"] = data_at({"ImageId"});
        getters["instance-type"] = data_at({"InstanceType"});
        getters["kernel-id"] = data_at({"KernelId"});
        getters["license-configuration-arn"] =
            data_at({"LicenseSpecifications", "LicenseConfigurationArn"});
        getters["network-card-index"] = data_at({"NetworkInterfaces", "NetworkCardIndex"});
        getters["ram-disk-id"] = data_at({"RamDiskId"});
        return FilterTable<TemplateVersionView>(
            [](const TemplateVersionView&) -> const std::vector<model::Tag>& { return kNoTags; },
            std::move(getters));
    }();
    return table;
}

}  // namespace kiln::control
