// SPDX-License-Identifier: Apache-2.0
#include "api/service_words.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "api/generated/operations.h"

namespace kiln::api {
namespace {

constexpr std::string_view kNotValidated =
    "AWS was not able to validate the provided access credentials";

// THR-3. The clients of each service know one name, and wait and ask again when they see it.
std::optional<Error> of_throttle(const Error& error, const ServiceInfo& service) {
    if (error.api_code() != "RequestLimitExceeded" || service.protocol == Protocol::ec2) {
        return std::nullopt;
    }
    const std::string_view name = service.protocol == Protocol::query ? "Throttling"
                                  : service.protocol == Protocol::json
                                      ? "ThrottlingException"
                                      : "RequestThrottledException";
    return Error::api(Code::resource_exhausted, std::string(name), "Rate exceeded");
}

// A token whose time is over, and what a role may not do.
std::optional<Error> of_session(const Error& error, const ServiceInfo& service) {
    if (error.api_code() == "ExpiredToken" && service.protocol != Protocol::query) {
        return service.protocol == Protocol::ec2
                   ? Error::api(Code::unauthenticated, "RequestExpired", "Request has expired.")
                   : Error::api(Code::unauthenticated, "ExpiredTokenException", error.message());
    }
    if (error.api_code() == "AccessDenied" && service.protocol != Protocol::query) {
        return service.protocol == Protocol::ec2
                   ? Error::api(
                         Code::permission_denied, "UnauthorizedOperation",
                         "You are not authorized to perform this operation. " + error.message())
                   : Error::api(Code::permission_denied, "AccessDeniedException", error.message());
    }
    return std::nullopt;
}

}  // namespace

Error unknown_region(std::string_view region, std::string_view service) {
    const bool ec2 = service == kEc2Service.name;
    return Error::api(
        Code::unauthenticated, ec2 ? "AuthFailure" : "SignatureDoesNotMatch",
        fmt::format("{}. '{}' is not one of this server's regions; DescribeRegions "
                    "lists them.",
                    ec2 ? kNotValidated : "Credential should be scoped to a valid region", region));
}

Error as_service_says(Error error, const ServiceInfo& service) {
    if (auto said = of_session(error, service)) {
        return std::move(*said);
    }
    if (auto said = of_throttle(error, service)) {
        return std::move(*said);
    }
    const bool key = error.api_code() == "InvalidClientTokenId";
    const bool signature = error.api_code() == "SignatureDoesNotMatch";
    if (service.protocol == Protocol::ec2 && (key || signature)) {
        return Error::api(Code::unauthenticated, "AuthFailure", std::string(kNotValidated));
    }
    const bool json = service.protocol == Protocol::json || service.protocol == Protocol::rest_json;
    if (json && (key || signature)) {
        return Error::api(Code::unauthenticated,
                          key ? "UnrecognizedClientException" : "InvalidSignatureException",
                          error.message());
    }
    return error;
}

bool is_throttled(std::string_view code) {
    return code == "RequestLimitExceeded" || code == "Throttling" ||
           code == "ThrottlingException" || code == "RequestThrottledException";
}

}  // namespace kiln::api
