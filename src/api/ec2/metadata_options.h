// SPDX-License-Identifier: Apache-2.0
// User data and metadata options between EC2's shapes and control's values; RunInstances and
// ModifyInstanceMetadataOptions share them. Thread model: pure functions.
#pragma once

#include "api/generated/ec2/reservation.h"
#include "control/metadata_options.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::api::ec2 {

// RUN-4: Base64, else InvalidUserData.Malformed.
Result<Bytes> to_user_data(const std::optional<std::string>& text);

// `state`: "pending" right after a request, "applied" later; nothing is in between.
InstanceMetadataOptionsResponse from_metadata_options(const model::MetadataOptions& options,
                                                      std::string_view state);

// Of InstanceMetadataOptionsRequest and ModifyInstanceMetadataOptionsRequest, which name the same
// members.
template <class Request>
Result<control::MetadataOptionsInput> to_metadata_options(const Request& request);

// The two words of an option, as a flag; absent stays absent.
Result<std::optional<bool>> to_flag(const std::optional<std::string>& text,
                                    std::string_view parameter, std::string_view no,
                                    std::string_view yes);

template <class Request>
Result<control::MetadataOptionsInput> to_metadata_options(const Request& request) {
    control::MetadataOptionsInput input;
    TRY_ASSIGN(input.tokens_required,
               to_flag(request.http_tokens, "HttpTokens", "optional", "required"));
    if (request.http_put_response_hop_limit.has_value()) {
        input.hop_limit = *request.http_put_response_hop_limit;
    }
    TRY_ASSIGN(input.endpoint_enabled,
               to_flag(request.http_endpoint, "HttpEndpoint", "disabled", "enabled"));
    TRY_ASSIGN(input.ipv6_enabled,
               to_flag(request.http_protocol_ipv6, "HttpProtocolIpv6", "disabled", "enabled"));
    TRY_ASSIGN(input.instance_tags_enabled, to_flag(request.instance_metadata_tags,
                                                    "InstanceMetadataTags", "disabled", "enabled"));
    return input;
}

}  // namespace kiln::api::ec2
