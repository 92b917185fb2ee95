// SPDX-License-Identifier: Apache-2.0
#include "api/sts/handlers.h"

#include "api/context.h"
#include "api/generated/sts/assume_role.h"
#include "api/generated/sts/decode_authorization_message.h"
#include "api/generated/sts/get_access_key_info.h"
#include "api/generated/sts/get_caller_identity.h"
#include "api/generated/sts/get_session_token.h"
#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/identity_rules.h"

namespace kiln::api {
namespace {

using namespace sts;

Error not_built(std::string_view parameter) {
    return control::errors::unsupported("The parameter " + std::string(parameter) +
                                        " is not built yet.");
}

Credentials from_keys(const control::SessionKeys& keys) {
    Credentials to;
    to.access_key_id = keys.id.str();
    to.secret_access_key = keys.secret;
    to.session_token = keys.token;
    to.expiration = keys.expires;
    return to;
}

// There are no devices for a second factor.
template <class Request>
Status check_factor(const Request& request) {
    if (non_empty(request.serial_number) != nullptr) {
        return not_built("SerialNumber");
    }
    return non_empty(request.token_code) != nullptr ? Status(not_built("TokenCode")) : ok();
}

Status check_built(const AssumeRoleRequest& request) {
    TRY(check_factor(request));
    if (!request.policy_arns.empty()) {
        return not_built("PolicyArns");
    }
    if (!request.provided_contexts.empty()) {
        return not_built("ProvidedContexts");
    }
    if (request.minimum_session_token_size.has_value()) {
        return not_built("MinimumSessionTokenSize");
    }
    return non_empty(request.source_identity) != nullptr ? Status(not_built("SourceIdentity"))
                                                         : ok();
}

std::optional<std::int32_t> seconds_of(const Scalar<std::int32_t>& seconds) {
    return seconds.has_value() ? std::optional(*seconds) : std::nullopt;
}

Result<AssumeRoleResponse> assume(control::TemporaryKeys& keys, const Context& context,
                                  const AssumeRoleRequest& request) {
    TRY(check_built(request));
    control::AssumeRoleInput input;
    input.role_arn = request.role_arn.value_or("");
    input.session_name = request.role_session_name.value_or("");
    input.external_id = request.external_id;
    input.policy = request.policy.value_or("");
    input.seconds = seconds_of(request.duration_seconds);
    for (const Tag& tag : request.tags) {
        input.tags.push_back({tag.key.value_or(""), tag.value.value_or("")});
    }
    input.transitive_tag_keys.assign(request.transitive_tag_keys.begin(),
                                     request.transitive_tag_keys.end());
    TRY_ASSIGN(const auto assumed, keys.assume_role(context.caller, input));
    AssumeRoleResponse response;
    response.credentials = from_keys(assumed.keys);
    AssumedRoleUser& user = response.assumed_role_user.emplace();
    user.assumed_role_id = assumed.id;
    user.arn = assumed.arn;
    if (assumed.policy_percent) {
        response.packed_policy_size = *assumed.policy_percent;
    }
    return response;
}

// IAM-36
Result<DecodeAuthorizationMessageResponse> decode(
    const control::AuthorizationMessages& messages, const Context& context,
    const DecodeAuthorizationMessageRequest& request) {
    const std::string message = request.encoded_message.value_or("");
    if (message.empty() || message.size() > control::kMaxAuthorizationMessage) {
        return control::errors::validation("EncodedMessage has 1 to " +
                                           std::to_string(control::kMaxAuthorizationMessage) +
                                           " characters.");
    }
    DecodeAuthorizationMessageResponse response;
    TRY_ASSIGN(response.decoded_message, messages.open(context.caller.account, message));
    return response;
}

}  // namespace

void add_sts_handlers(Registry& registry, Services services) {
    registry.add<ops::GetCallerIdentity>(
        [](Context& context, const GetCallerIdentityRequest&) -> Result<GetCallerIdentityResponse> {
            GetCallerIdentityResponse response;
            const control::Caller& caller = context.caller;
            response.account = caller.account.str();
            response.user_id = caller.identity ? caller.identity->user_id : caller.account.str();
            response.arn = control::arn_of(caller);
            return response;
        });
    registry.add<ops::AssumeRole>([services](Context& context, const AssumeRoleRequest& request) {
        return assume(services.temporary_keys, context, request);
    });
    registry.add<ops::DecodeAuthorizationMessage>(
        [services](Context& context, const DecodeAuthorizationMessageRequest& request) {
            return decode(services.authorization_messages, context, request);
        });
    registry.add<ops::GetSessionToken>(
        [services](Context& context,
                   const GetSessionTokenRequest& request) -> Result<GetSessionTokenResponse> {
            TRY(check_factor(request));
            TRY_ASSIGN(const auto keys, services.temporary_keys.session_token(
                                            context.caller, seconds_of(request.duration_seconds)));
            GetSessionTokenResponse response;
            response.credentials = from_keys(keys);
            return response;
        });
    registry.add<ops::GetAccessKeyInfo>(
        [services](Context&,
                   const GetAccessKeyInfoRequest& request) -> Result<GetAccessKeyInfoResponse> {
            TRY_ASSIGN(const auto account,
                       services.temporary_keys.account_of(request.access_key_id.value_or("")));
            GetAccessKeyInfoResponse response;
            response.account = account.str();
            return response;
        });
}

}  // namespace kiln::api
