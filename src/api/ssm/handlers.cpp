// SPDX-License-Identifier: Apache-2.0
#include "api/ssm/handlers.h"

#include <set>

#include "api/context.h"
#include "api/generated/ssm/delete_parameter.h"
#include "api/generated/ssm/get_parameter.h"
#include "api/generated/ssm/get_parameters.h"
#include "api/generated/ssm/get_parameters_by_path.h"
#include "api/generated/ssm/put_parameter.h"

namespace kiln::api {
namespace {

constexpr std::size_t kMaxNames = 10;  // PAR-3

Error validation(std::string message) {
    return Error::api(Code::invalid_argument, "ValidationException", std::move(message));
}

ssm::Parameter to_wire_parameter(const control::Parameter& from) {
    ssm::Parameter to;
    to.name = from.name;
    to.type = "String";
    to.value = from.value;
    to.version = from.version;
    if (!from.selector.empty()) {
        to.selector = from.selector;
    }
    to.last_modified_date = from.modified;
    to.arn = from.arn;
    to.data_type = from.data_type;
    return to;
}

Result<ssm::GetParameterResult> get_parameter(control::PublicParameters& parameters,
                                              const Context& context,
                                              const ssm::GetParameterRequest& request) {
    TRY_ASSIGN(const control::Parameter found, parameters.get(context.caller, *request.name));
    ssm::GetParameterResult result;
    result.parameter = to_wire_parameter(found);
    return result;
}

// What does not exist is listed, it is no error.
Result<ssm::GetParametersResult> get_parameters(control::PublicParameters& parameters,
                                                const Context& context,
                                                const ssm::GetParametersRequest& request) {
    if (request.names.empty() || request.names.size() > kMaxNames) {
        return validation("Names has 1 to 10 members.");
    }
    ssm::GetParametersResult result;
    result.parameters.give();
    result.invalid_parameters.give();
    std::set<std::string> seen;
    for (const std::string& name : request.names) {
        if (!seen.insert(name).second) {
            return validation("The parameter " + name + " is named twice.");
        }
        const auto found = parameters.get(context.caller, name);
        if (found) {
            result.parameters.push_back(to_wire_parameter(*found));
        } else if (found.error().has_api_code()) {
            result.invalid_parameters.push_back(name);
        } else {
            return found.error();
        }
    }
    return result;
}

Result<ssm::GetParametersByPathResult> get_by_path(control::PublicParameters& parameters,
                                                   const Context& context,
                                                   const ssm::GetParametersByPathRequest& request) {
    if (!request.parameter_filters.empty()) {
        return Error::api(Code::unsupported, "UnsupportedOperation",
                          "The parameter ParameterFilters is not built yet.");
    }
    control::ParametersByPathInput input;
    input.path = *request.path;
    input.recursive = request.recursive.value_or(false);
    if (request.max_results.has_value()) {
        if (*request.max_results < 1 || *request.max_results > control::kMaxParametersPerPage) {
            return validation("MaxResults is 1 to 10.");
        }
        input.page.max_results = *request.max_results;
    }
    input.page.next_token = request.next_token.value_or("");
    input.page.binding = "GetParametersByPath " + input.path + (input.recursive ? " all" : "");
    TRY_ASSIGN(const auto page, parameters.by_path(context.caller, input));
    ssm::GetParametersByPathResult result;
    result.parameters.give();
    for (const control::Parameter& parameter : page.items) {
        result.parameters.push_back(to_wire_parameter(parameter));
    }
    if (!page.next_token.empty()) {
        result.next_token = page.next_token;
    }
    return result;
}

Error not_built(std::string_view parameter) {
    return Error::api(Code::unsupported, "UnsupportedOperation",
                      "The parameter " + std::string(parameter) + " is not built yet.");
}

Result<ssm::PutParameterResult> put_parameter(control::StoredParameters& parameters,
                                              const Context& context,
                                              const ssm::PutParameterRequest& request) {
    for (const auto& [name, value] : {std::pair{"KeyId", &request.key_id},
                                      {"AllowedPattern", &request.allowed_pattern},
                                      {"Policies", &request.policies}}) {
        if (non_empty(*value) != nullptr) {
            return not_built(name);
        }
    }
    if (!request.tags.empty()) {
        return not_built("Tags");
    }
    if (request.tier.value_or("Standard") != "Standard") {
        return not_built("Tier " + *request.tier);
    }
    if (request.type.value_or("String") != "String") {
        return Error::api(Code::unsupported, "UnsupportedParameterType",
                          "The parameter type " + *request.type + " is not built yet; String is.");
    }
    control::PutParameterInput input;
    input.name = *request.name;
    input.value = *request.value;
    input.data_type_given = request.data_type.has_value();
    input.data_type = request.data_type.value_or(input.data_type);
    input.description = request.description.value_or("");
    input.overwrite = request.overwrite.value_or(false);
    if (!request.type && !input.overwrite) {
        return validation("A parameter type is required when you create a parameter.");
    }
    TRY_ASSIGN(const std::int64_t version, parameters.put(context.caller, input));
    ssm::PutParameterResult result;
    result.version = version;
    result.tier = "Standard";
    return result;
}

}  // namespace

void add_ssm_handlers(Registry& registry, Services services) {
    control::PublicParameters& parameters = services.parameters;
    registry.add<ssm::ops::PutParameter>(
        [services](Context& context, const ssm::PutParameterRequest& request) {
            return put_parameter(services.stored_parameters, context, request);
        });
    registry.add<ssm::ops::DeleteParameter>(
        [services](
            Context& context,
            const ssm::DeleteParameterRequest& request) -> Result<ssm::DeleteParameterResult> {
            TRY(services.stored_parameters.remove(context.caller, *request.name));
            return ssm::DeleteParameterResult{};
        });
    registry.add<ssm::ops::GetParameter>(
        [&parameters](Context& context, const ssm::GetParameterRequest& request) {
            return get_parameter(parameters, context, request);
        });
    registry.add<ssm::ops::GetParameters>(
        [&parameters](Context& context, const ssm::GetParametersRequest& request) {
            return get_parameters(parameters, context, request);
        });
    registry.add<ssm::ops::GetParametersByPath>(
        [&parameters](Context& context, const ssm::GetParametersByPathRequest& request) {
            return get_by_path(parameters, context, request);
        });
}

}  // namespace kiln::api
