// SPDX-License-Identifier: Apache-2.0
#include "api/access.h"

#include <algorithm>
#include <vector>

namespace kiln::api {
namespace {

bool any_begins(const QueryParams& params, std::string_view start) {
    const auto all = params.all();
    return std::any_of(all.begin(), all.end(),
                       [&](const QueryParam& param) { return param.name.starts_with(start); });
}

bool resolves_parameter(const QueryParams& params) {
    const auto all = params.all();
    return std::any_of(all.begin(), all.end(), [](const QueryParam& param) {
        return param.name == "ImageId" && param.value.starts_with("resolve:ssm:");
    });
}

// Tags that come with a new resource, and an image that a parameter names.
std::vector<std::string> besides(const OperationInfo& operation, const QueryParams& params) {
    std::vector<std::string> actions;
    const std::string_view service = operation.service->name;
    if (service == "ec2" && any_begins(params, "TagSpecification")) {
        actions.emplace_back("ec2:CreateTags");
    }
    if (service == "ec2" && resolves_parameter(params)) {
        actions.emplace_back("ssm:GetParameters");
    }
    if (service == "iam" && any_begins(params, "Tags.")) {
        actions.emplace_back(operation.name == "CreateRole"   ? "iam:TagRole"
                             : operation.name == "CreateUser" ? "iam:TagUser"
                                                              : "iam:TagInstanceProfile");
    }
    return actions;
}

}  // namespace

Status check_access(const control::Caller& caller, const OperationInfo& operation,
                    const QueryParams* params) {
    const std::string_view service = operation.service->name;
    // Nobody can be kept from asking who they are.
    if (!caller.identity || (service == "sts" && operation.name == "GetCallerIdentity")) {
        return ok();
    }
    const control::Identity& identity = *caller.identity;
    if (service == "sts" && operation.name == "AssumeRole") {
        return ok();  // the role's trust decides too: control looks at both (IAM-17)
    }
    if (identity.temporary && identity.kind != control::Identity::Kind::role &&
        (service == "iam" || service == "sts")) {  // IAM-20
        return Error::api(Code::permission_denied, "AccessDenied",
                          "The keys of GetSessionToken cannot call " + std::string(service) + ":" +
                              std::string(operation.name) + ".");
    }
    if (service == "sts" && operation.name == "GetSessionToken") {
        return ok();  // one's own rights, for a time: needs no permission
    }
    TRY(control::authorize(caller, std::string(service) + ":" + std::string(operation.name)));
    if (params != nullptr) {
        for (const std::string& action : besides(operation, *params)) {
            TRY(control::authorize(caller, action));
        }
    }
    return ok();
}

}  // namespace kiln::api
