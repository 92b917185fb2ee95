// SPDX-License-Identifier: Apache-2.0
// Finding a launch template and the versions a request means by its texts (LT-3, LT-4).
// Thread model: functions within a transaction.
#pragma once

#include <cstdint>
#include <string>

#include "control/launch_templates.h"

namespace kiln::control {

// "$Latest", "$Default" or a number from 1 on.
struct VersionName {
    enum class Kind { number, latest, marked_default };
    Kind kind = Kind::number;
    std::int64_t number = 0;
};

// InvalidParameterValue for anything else.
Result<VersionName> parse_version(const std::string& text);
std::int64_t number_of(const VersionName& version, const model::LaunchTemplate& of);

// MissingParameter, InvalidParameterCombination, InvalidLaunchTemplateId.Malformed; NotFound for
// what is not the caller's.
Result<model::LaunchTemplate> find_template(catalog::Transaction& tx, const Caller& caller,
                                            const TemplateName& name);
Result<model::LaunchTemplateVersion> find_version(catalog::Transaction& tx,
                                                  const model::LaunchTemplate& of,
                                                  std::int64_t number);
Error version_not_found(const model::LaunchTemplate& of, const std::string& version);
Error template_name_not_found(const std::string& name);
// Several were asked for: none is named (LT-4).
Error templates_not_found(std::string_view code);

// With the caller's tags.
Result<std::vector<LaunchTemplateView>> load_template_views(
    catalog::Transaction& tx, const Caller& caller, std::vector<model::LaunchTemplate> templates);

const FilterTable<LaunchTemplateView>& template_filters();
const FilterTable<TemplateVersionView>& template_version_filters();

}  // namespace kiln::control
