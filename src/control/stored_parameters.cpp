// SPDX-License-Identifier: Apache-2.0
#include "control/stored_parameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/image_rules.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxParameters = 10'000;  // PAR-5, of an account in a region
constexpr std::size_t kMaxVersions = 100;
constexpr std::size_t kMaxName = 1011;
constexpr std::size_t kMaxValue = 4096;
constexpr std::size_t kMaxDescription = 1024;
constexpr std::size_t kMaxLevels = 15;
constexpr std::string_view kImages = "aws:ec2:image";

Error validation(std::string message) {
    return Error::api(Code::invalid_argument, "ValidationException", std::move(message));
}

Error not_found(const std::string& name) {
    return Error::api(Code::not_found, "ParameterNotFound",
                      "The parameter " + name + " does not exist.");
}

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == '/';
}

Status check_name(const std::string& name) {
    if (name.empty() || name.size() > kMaxName ||
        !std::all_of(name.begin(), name.end(), is_name_character)) {
        return validation(fmt::format(
            "Parameter name has 1 to {} letters, digits and the symbols .-_/", kMaxName));
    }
    const std::string lower = to_lower(name);
    if (lower.starts_with("aws") || lower.starts_with("ssm") || lower.starts_with("/aws") ||
        lower.starts_with("/ssm")) {
        return validation("Parameter name: can't be prefixed with \"aws\" or \"ssm\".");
    }
    const auto slashes = static_cast<std::size_t>(std::count(name.begin(), name.end(), '/'));
    if (name.find("//") != name.npos || name.ends_with('/') ||
        (slashes > 0 && !name.starts_with('/'))) {
        return validation(
            "Parameter name must be fully qualified: it begins with / and each level has a name.");
    }
    if (slashes > kMaxLevels) {
        return Error::api(Code::invalid_argument, "HierarchyLevelLimitExceededException",
                          fmt::format("A hierarchy has at most {} levels.", kMaxLevels));
    }
    return ok();
}

Status check(const PutParameterInput& input) {
    TRY(check_name(input.name));
    if (input.value.empty() || input.value.size() > kMaxValue) {
        return validation(fmt::format("Value has 1 to {} bytes.", kMaxValue));
    }
    if (character_count(input.description) > kMaxDescription) {
        return validation(fmt::format("Description has at most {} characters.", kMaxDescription));
    }
    if (input.data_type != "text" && input.data_type != kImages) {
        return validation("The following data type is not supported: " + input.data_type +
                          " (Data type names are all lowercase.)");
    }
    return ok();
}

// PAR-6.
Status check_image(catalog::Transaction& tx, const Caller& caller, const std::string& value) {
    const auto id = model::parse_image_id(value);
    if (id) {
        TRY_ASSIGN(const auto image, tx.images().find(*id));
        if (image && image->region == caller.region && may_use(*image, caller) &&
            image->state == model::ImageState::available) {
            return ok();
        }
    }
    return validation("The value '" + value +
                      "' is no image that can be launched: a parameter of the data type "
                      "aws:ec2:image names one.");
}

catalog::ParameterQuery of_caller(const Caller& caller) {
    catalog::ParameterQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

Result<std::optional<model::StoredParameter>> find(catalog::Transaction& tx, const Caller& caller,
                                                   const std::string& name) {
    catalog::ParameterQuery query = of_caller(caller);
    query.names = {name};
    TRY_ASSIGN(auto found, tx.parameters().list(query));
    return found.empty() ? std::optional<model::StoredParameter>()
                         : std::optional<model::StoredParameter>(std::move(found.front()));
}

Parameter to_parameter(const Caller& caller, const model::StoredParameter& from,
                       const model::ParameterVersion& version) {
    Parameter to;
    to.name = from.name;
    to.value = version.value;
    to.data_type = from.data_type;
    to.version = version.number;
    to.modified = version.modified;
    to.arn = fmt::format("arn:aws:ssm:{}:{}:parameter{}{}", caller.region, caller.account.str(),
                         from.name.starts_with('/') ? "" : "/", from.name);
    return to;
}

}  // namespace

bool is_reserved_parameter(std::string_view name) {
    return name == "/aws" || name.starts_with("/aws/");
}

Result<std::int64_t> StoredParameters::put(const Caller& caller, const PutParameterInput& input) {
    TRY(check(input));
    return store_.run([&](catalog::Transaction& tx) -> Result<std::int64_t> {
        TRY_ASSIGN(auto parameter, find(tx, caller, input.name));
        if (parameter && !input.overwrite) {
            return Error::api(Code::already_exists, "ParameterAlreadyExists",
                              "The parameter already exists. To overwrite this value, set the "
                              "overwrite option in the request to true.");
        }
        const bool fresh = !parameter;
        if (fresh) {
            TRY_ASSIGN(const auto present, tx.parameters().list(of_caller(caller)));
            if (present.size() >= kMaxParameters) {
                return Error::api(Code::resource_exhausted, "ParameterLimitExceeded",
                                  fmt::format("There are {} parameters already.", kMaxParameters));
            }
            parameter.emplace();
            parameter->owner_id = caller.account;
            parameter->region = caller.region;
            parameter->name = input.name;
            parameter->data_type = input.data_type;
            parameter->created = clock_.now();
        } else if (input.data_type_given && input.data_type != parameter->data_type) {
            return validation("The data type of a parameter cannot be changed: it is " +
                              parameter->data_type + ".");
        }
        if (parameter->data_type == kImages) {
            TRY(check_image(tx, caller, input.value));
        }
        if (!input.description.empty()) {
            parameter->description = input.description;
        }
        auto& versions = parameter->versions;
        const std::int64_t number = versions.empty() ? 1 : versions.back().number + 1;
        versions.push_back({number, input.value, clock_.now()});
        if (versions.size() > kMaxVersions) {
            versions.erase(versions.begin());
        }
        TRY(fresh ? tx.parameters().insert(*parameter) : tx.parameters().update(*parameter));
        return number;
    });
}

Status StoredParameters::remove(const Caller& caller, const std::string& name) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto parameter, find(tx, caller, name));
        return parameter ? tx.parameters().erase(parameter->id()) : Status(not_found(name));
    });
}

Result<Parameter> find_stored_parameter(catalog::Transaction& tx, const Caller& caller,
                                        const std::string& name, const std::string& selector) {
    TRY_ASSIGN(const auto parameter, find(tx, caller, name));
    if (!parameter) {
        return not_found(name);
    }
    const auto& versions = parameter->versions;
    if (selector.empty()) {
        return to_parameter(caller, *parameter, versions.back());
    }
    const auto number = parse_int<std::int64_t>(std::string_view(selector).substr(1));
    const auto found = std::find_if(versions.begin(), versions.end(),
                                    [&](const auto& v) { return number && v.number == *number; });
    if (found == versions.end()) {
        return Error::api(
            Code::not_found, "ParameterVersionNotFound",
            fmt::format("The parameter {} has no version or label '{}'; its versions "
                        "are {} to {}.",
                        name, selector.substr(1), versions.front().number, versions.back().number));
    }
    Parameter to = to_parameter(caller, *parameter, *found);
    to.selector = selector;
    return to;
}

Result<std::vector<Parameter>> list_stored_parameters(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const std::string& start) {
    catalog::ParameterQuery query = of_caller(caller);
    query.name_prefix = start;
    TRY_ASSIGN(const auto stored, tx.parameters().list(query));
    std::vector<Parameter> all;
    for (const model::StoredParameter& parameter : stored) {
        all.push_back(to_parameter(caller, parameter, parameter.versions.back()));
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return all;
}

}  // namespace kiln::control
