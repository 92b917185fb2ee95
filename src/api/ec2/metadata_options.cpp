// SPDX-License-Identifier: Apache-2.0
#include "api/ec2/metadata_options.h"

#include "api/ec2/convert.h"
#include "util/encoding.h"

namespace kiln::api::ec2 {

Result<Bytes> to_user_data(const std::optional<std::string>& text) {
    if (!given(text)) {
        return Bytes();
    }
    auto bytes = base64_decode(*text);
    if (!bytes) {
        return Error::api(Code::invalid_argument, "InvalidUserData.Malformed",
                          "Invalid BASE64 encoding of user data.");
    }
    return bytes;
}

InstanceMetadataOptionsResponse from_metadata_options(const model::MetadataOptions& options,
                                                      std::string_view state) {
    const auto switched = [](bool on) { return std::string(on ? "enabled" : "disabled"); };
    InstanceMetadataOptionsResponse out;
    out.state = std::string(state);
    out.http_tokens = options.tokens_required ? "required" : "optional";
    out.http_put_response_hop_limit = static_cast<std::int32_t>(options.hop_limit);
    out.http_endpoint = switched(options.endpoint_enabled);
    out.http_protocol_ipv6 = switched(options.ipv6_enabled);
    out.instance_metadata_tags = switched(options.instance_tags_enabled);
    return out;
}

Result<std::optional<bool>> to_flag(const std::optional<std::string>& text,
                                    std::string_view parameter, std::string_view no,
                                    std::string_view yes) {
    if (!given(text)) {
        return std::optional<bool>();
    }
    if (*text != no && *text != yes) {
        return bad_enum(*text, parameter);
    }
    return std::optional<bool>(*text == yes);
}

}  // namespace kiln::api::ec2
