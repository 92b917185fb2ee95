// SPDX-License-Identifier: Apache-2.0
#include "api/unbuilt_services.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "api/generated/operations.h"
#include "net/headers.h"

namespace kiln::api {
namespace {

// Their requests look like those of REST services with JSON.
constexpr std::array<std::string_view, 4> kRestXml = {"cloudfront", "route53", "s3", "s3control"};

Protocol protocol_of(const net::SigningRequest& request, std::string_view service) {
    if (std::find(kRestXml.begin(), kRestXml.end(), service) != kRestXml.end()) {
        return Protocol::rest_xml;
    }
    if (request.headers.has("X-Amz-Target")) {
        return Protocol::json;
    }
    const bool form = request.headers.get("Content-Type")
                          .value_or("")
                          .starts_with("application/x-www-form-urlencoded");
    return form ? Protocol::query : Protocol::rest_json;
}

}  // namespace

ServiceInfo unbuilt_service(const net::SigningRequest& request, std::string_view service) {
    return {"unbuilt", protocol_of(request, service), "", "", {}};
}

Error refuse_service(std::string_view service) {
    std::string built;
    for (const ServiceInfo* known : services()) {
        built += std::string(known->name) + ", ";
    }
    return Error::api(Code::unsupported, "UnsupportedOperation",
                      fmt::format("The service '{}' is not built; this server speaks {}and kiln.",
                                  service, built));
}

}  // namespace kiln::api
