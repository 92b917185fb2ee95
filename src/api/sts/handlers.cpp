// SPDX-License-Identifier: Apache-2.0
#include "api/sts/handlers.h"

#include "api/context.h"
#include "api/generated/sts/get_caller_identity.h"
#include "control/authorization.h"

namespace kiln::api {

void add_sts_handlers(Registry& registry) {
    registry.add<sts::ops::GetCallerIdentity>(
        [](Context& context,
           const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
            sts::GetCallerIdentityResponse response;
            const control::Caller& caller = context.caller;
            response.account = caller.account.str();
            response.user_id = caller.session ? caller.session->user_id() : caller.account.str();
            response.arn = control::arn_of(caller);
            return response;
        });
}

}  // namespace kiln::api
