// SPDX-License-Identifier: Apache-2.0
#include "control/public_parameters.h"

#include <algorithm>
#include <map>

#include "control/api_errors.h"
#include "control/stored_parameters.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::string_view kResolve = "resolve:ssm:";
constexpr std::size_t kMaxName = 2048;  // of names and paths
constexpr PageLimits kPageLimits{1, kMaxParametersPerPage};

Error validation(std::string message) {
    return Error::api(Code::invalid_argument, "ValidationException", std::move(message));
}

// All images of one parameter, from the first version on.
using Versions = std::vector<model::Image>;

Result<std::map<std::string, Versions>> parameters_of(catalog::Store& store,
                                                      const std::string& region) {
    return store.read([&](catalog::Transaction& tx) -> Result<std::map<std::string, Versions>> {
        catalog::ImageQuery query;
        query.region = region;
        query.owners = {model::AccountId(kProviderAccount)};
        TRY_ASSIGN(auto images, tx.images().list(query));  // by creation
        std::map<std::string, Versions> parameters;
        for (model::Image& image : images) {
            if (!image.public_parameter.empty()) {
                parameters[image.public_parameter].push_back(std::move(image));
            }
        }
        return parameters;
    });
}

bool is_offered(const model::Image& image) {
    return image.state == model::ImageState::available;
}

Parameter to_parameter(const Caller& caller, const Versions& versions, std::size_t index) {
    const model::Image& image = versions[index];
    return {.name = image.public_parameter,
            .selector = "",
            .value = image.id.str(),
            .data_type = "aws:ec2:image",
            .image_name = image.name,
            .version = static_cast<std::int64_t>(index) + 1,
            .modified = image.created,
            .arn = "arn:aws:ssm:" + caller.region + "::parameter" + image.public_parameter};
}

// The newest version that can be launched.
std::optional<std::size_t> latest(const Versions& versions) {
    const auto found = std::find_if(versions.rbegin(), versions.rend(), is_offered);
    return found == versions.rend() ? std::nullopt
                                    : std::optional<std::size_t>(versions.rend() - found - 1);
}

Error not_found(const std::string& name) {
    return Error::api(Code::not_found, "ParameterNotFound",
                      "The parameter " + name +
                          " does not exist. Public ones are listed by GetParametersByPath with "
                          "the path /aws/service.");
}

bool is_below(std::string_view name, std::string_view path, bool recursive) {
    if (!name.starts_with(path) || name.size() <= path.size() || name[path.size()] != '/') {
        return false;
    }
    return recursive || name.find('/', path.size() + 1) == name.npos;
}

}  // namespace

Result<Parameter> PublicParameters::get(const Caller& caller, const std::string& name) {
    if (name.empty() || name.size() > kMaxName) {
        return validation("The name of a parameter has 1 to 2048 characters.");
    }
    const auto colon = name.find(':');
    const std::string plain = name.substr(0, colon);
    if (!is_reserved_parameter(plain)) {
        return store_.read([&](catalog::Transaction& tx) {
            return find_stored_parameter(tx, caller, plain,
                                         colon == name.npos ? "" : name.substr(colon));
        });
    }
    TRY_ASSIGN(const auto parameters, parameters_of(store_, caller.region));
    const auto found = parameters.find(plain);
    if (found == parameters.end()) {
        return not_found(plain);
    }
    const Versions& versions = found->second;
    if (colon == name.npos) {
        const auto index = latest(versions);
        return index ? Result<Parameter>(to_parameter(caller, versions, *index))
                     : Result<Parameter>(not_found(plain));
    }
    const auto version = parse_int<std::uint32_t>(std::string_view(name).substr(colon + 1));
    if (!version || *version == 0 || *version > versions.size()) {
        return Error::api(Code::not_found, "ParameterVersionNotFound",
                          "The parameter " + plain + " has no version or label '" +
                              name.substr(colon + 1) + "'; its versions are 1 to " +
                              std::to_string(versions.size()) + ".");
    }
    Parameter parameter = to_parameter(caller, versions, *version - 1);
    parameter.selector = name.substr(colon);
    return parameter;
}

Result<std::vector<Parameter>> PublicParameters::list(const Caller& caller) {
    TRY_ASSIGN(const auto parameters, parameters_of(store_, caller.region));
    std::vector<Parameter> all;
    for (const auto& [name, versions] : parameters) {
        if (const auto index = latest(versions)) {
            all.push_back(to_parameter(caller, versions, *index));
        }
    }
    return all;
}

Result<Page<Parameter>> PublicParameters::by_path(const Caller& caller,
                                                  const ParametersByPathInput& input) {
    if (!input.path.starts_with('/') || input.path.size() > kMaxName) {
        return validation("The path must begin with / and have at most 2048 characters.");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kPageLimits));
    std::string_view path = input.path;
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    TRY_ASSIGN(auto all, is_reserved_parameter(input.path)
                             ? list(caller)
                             : store_.read([&](catalog::Transaction& tx) {
                                   return list_stored_parameters(tx, caller, std::string(path));
                               }));
    std::vector<Parameter> found;
    const auto cursor_of = [](const Parameter& p) { return catalog::Cursor{{}, p.name}; };
    for (Parameter& parameter : all) {
        if (is_below(parameter.name, path, input.recursive) &&
            is_after(cursor_of(parameter), start)) {
            found.push_back(std::move(parameter));
        }
    }
    PageStart bounded = start;
    bounded.limit = start.limit.value_or(static_cast<std::size_t>(kPageLimits.max));
    return cut_page(caller, input.page, bounded, std::move(found), cursor_of);
}

Result<std::string> PublicParameters::resolve(const Caller& caller, const std::string& image) {
    if (!image.starts_with(kResolve)) {
        return image;
    }
    const std::string name = image.substr(kResolve.size());
    const auto parameter = get(caller, name);
    if (!parameter && parameter.error().has_api_code()) {
        return errors::invalid_parameter_value(
            "The SSM parameter '" + name +
            "' of the image cannot be resolved: " + parameter.error().message());
    }
    TRY_ASSIGN(const Parameter resolved, parameter);
    return resolved.value;
}

}  // namespace kiln::control
