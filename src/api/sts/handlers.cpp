// SPDX-License-Identifier: Apache-2.0
#include "api/sts/handlers.h"

#include "api/context.h"
#include "api/generated/sts/get_caller_identity.h"

namespace kiln::api {

void add_sts_handlers(Registry& registry) {
    registry.add<sts::ops::GetCallerIdentity>(
        [](Context& context,
           const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
            sts::GetCallerIdentityResponse response;
            response.account = context.caller.account.str();
            response.user_id = context.caller.account.str();
            response.arn = "arn:aws:iam::" + context.caller.account.str() + ":root";
            return response;
        });
}

}  // namespace kiln::api
