// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/generated/iam/create_role.h"
#include "api/generated/iam/delete_role.h"
#include "api/generated/iam/get_role.h"
#include "api/generated/iam/list_attached_role_policies.h"
#include "api/generated/iam/list_roles.h"
#include "api/generated/iam/update_assume_role_policy.h"
#include "api/generated/iam/update_role.h"
#include "api/generated/iam/update_role_description.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace iam;

Result<CreateRoleResponse> create(control::Roles& roles, const Context& context,
                                  const CreateRoleRequest& request) {
    if (non_empty(request.permissions_boundary) != nullptr) {
        return control::errors::unsupported("The parameter PermissionsBoundary is not built yet.");
    }
    control::CreateRoleInput input;
    input.name = text(request.role_name);
    input.path = request.path.value_or("/");
    input.description = text(request.description);
    input.max_session_s = request.max_session_duration.value_or(input.max_session_s);
    input.trust_policy = text(request.assume_role_policy_document);
    input.tags = to_model_tags(request.tags);
    TRY_ASSIGN(const model::Role role, roles.create(context.caller, input));
    CreateRoleResponse response;
    response.role = from_role(role);
    return response;
}

Result<GetRoleResponse> get(control::Roles& roles, const Context& context,
                            const GetRoleRequest& request) {
    TRY_ASSIGN(const model::Role role, roles.get(context.caller, text(request.role_name)));
    GetRoleResponse response;
    response.role = from_role(role);
    return response;
}

Result<ListRolesResponse> list(control::Roles& roles, const Context& context,
                               const ListRolesRequest& request) {
    TRY_ASSIGN(const auto page,
               roles.list(context.caller,
                          to_page(request.path_prefix, request.marker, request.max_items)));
    ListRolesResponse response;
    response.roles.give();
    for (const model::Role& role : page.roles) {
        response.roles.push_back(from_role(role));
    }
    end_page(response, page.marker);
    return response;
}

// IAM-1: a time that is not given is an hour again.
Result<UpdateRoleResponse> update(control::Roles& roles, const Context& context,
                                  const UpdateRoleRequest& request) {
    TRY(roles.update(context.caller,
                     {text(request.role_name), request.description,
                      request.max_session_duration.value_or(control::kShortestRoleSession)}));
    return UpdateRoleResponse{};
}

Result<UpdateRoleDescriptionResponse> describe(control::Roles& roles, const Context& context,
                                               const UpdateRoleDescriptionRequest& request) {
    TRY_ASSIGN(const model::Role role,
               roles.update(context.caller,
                            {text(request.role_name), text(request.description), std::nullopt}));
    UpdateRoleDescriptionResponse response;
    response.role = from_role(role);
    return response;
}

// There are no managed policies, so none is attached.
Result<ListAttachedRolePoliciesResponse> list_attached(
    control::Roles& roles, const Context& context, const ListAttachedRolePoliciesRequest& request) {
    TRY(roles.get(context.caller, text(request.role_name)));
    ListAttachedRolePoliciesResponse response;
    response.attached_policies.give();
    end_page(response, "");
    return response;
}

}  // namespace

void add_role_handlers(Registry& registry, Services services) {
    control::Roles& roles = services.roles;
    registry.add<ops::CreateRole>([&roles](Context& context, const CreateRoleRequest& request) {
        return create(roles, context, request);
    });
    registry.add<ops::GetRole>([&roles](Context& context, const GetRoleRequest& request) {
        return get(roles, context, request);
    });
    registry.add<ops::ListRoles>([&roles](Context& context, const ListRolesRequest& request) {
        return list(roles, context, request);
    });
    registry.add<ops::DeleteRole>(
        [&roles](Context& context, const DeleteRoleRequest& request) -> Result<Void> {
            TRY(roles.remove(context.caller, text(request.role_name)));
            return Void{};
        });
    registry.add<ops::UpdateAssumeRolePolicy>(
        [&roles](Context& context, const UpdateAssumeRolePolicyRequest& request) -> Result<Void> {
            TRY(roles.set_trust(context.caller, text(request.role_name),
                                text(request.policy_document)));
            return Void{};
        });
    registry.add<ops::UpdateRole>([&roles](Context& context, const UpdateRoleRequest& request) {
        return update(roles, context, request);
    });
    registry.add<ops::UpdateRoleDescription>(
        [&roles](Context& context, const UpdateRoleDescriptionRequest& request) {
            return describe(roles, context, request);
        });
    registry.add<ops::ListAttachedRolePolicies>(
        [&roles](Context& context, const ListAttachedRolePoliciesRequest& request) {
            return list_attached(roles, context, request);
        });
}

}  // namespace kiln::api
