// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/generated/iam/create_role.h"
#include "api/generated/iam/delete_role.h"
#include "api/generated/iam/delete_role_policy.h"
#include "api/generated/iam/get_role.h"
#include "api/generated/iam/get_role_policy.h"
#include "api/generated/iam/list_attached_role_policies.h"
#include "api/generated/iam/list_role_policies.h"
#include "api/generated/iam/list_roles.h"
#include "api/generated/iam/put_role_policy.h"
#include "api/generated/iam/update_assume_role_policy.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"
#include "control/api_errors.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

using namespace iam;

std::string text(const std::optional<std::string>& value) {
    return value.value_or("");
}

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

Result<GetRolePolicyResponse> get_policy(control::Roles& roles, const Context& context,
                                         const GetRolePolicyRequest& request) {
    TRY_ASSIGN(const auto policy, roles.get_policy(context.caller, text(request.role_name),
                                                   text(request.policy_name)));
    GetRolePolicyResponse response;
    response.role_name = request.role_name;
    response.policy_name = policy.name;
    response.policy_document = percent_encode(policy.document);
    return response;
}

Result<ListRolePoliciesResponse> list_policies(control::Roles& roles, const Context& context,
                                               const ListRolePoliciesRequest& request) {
    TRY_ASSIGN(const auto page,
               roles.list_policies(context.caller, text(request.role_name),
                                   to_page({}, request.marker, request.max_items)));
    ListRolePoliciesResponse response;
    response.policy_names.give();
    for (const std::string& name : page.names) {
        response.policy_names.push_back(name);
    }
    end_page(response, page.marker);
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

// An operation that answers nothing but success.
template <class F>
Result<Void> done(F call) {
    TRY(call());
    return Void{};
}

void add_policy_handlers(Registry& registry, control::Roles& roles) {
    registry.add<ops::PutRolePolicy>(
        [&roles](Context& context, const PutRolePolicyRequest& request) {
            return done([&] {
                return roles.put_policy(context.caller, text(request.role_name),
                                        {text(request.policy_name), text(request.policy_document)});
            });
        });
    registry.add<ops::GetRolePolicy>(
        [&roles](Context& context, const GetRolePolicyRequest& request) {
            return get_policy(roles, context, request);
        });
    registry.add<ops::DeleteRolePolicy>(
        [&roles](Context& context, const DeleteRolePolicyRequest& request) {
            return done([&] {
                return roles.remove_policy(context.caller, text(request.role_name),
                                           text(request.policy_name));
            });
        });
    registry.add<ops::ListRolePolicies>(
        [&roles](Context& context, const ListRolePoliciesRequest& request) {
            return list_policies(roles, context, request);
        });
    registry.add<ops::ListAttachedRolePolicies>(
        [&roles](Context& context, const ListAttachedRolePoliciesRequest& request) {
            return list_attached(roles, context, request);
        });
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
    registry.add<ops::DeleteRole>([&roles](Context& context, const DeleteRoleRequest& request) {
        return done([&] { return roles.remove(context.caller, text(request.role_name)); });
    });
    registry.add<ops::UpdateAssumeRolePolicy>(
        [&roles](Context& context, const UpdateAssumeRolePolicyRequest& request) {
            return done([&] {
                return roles.set_trust(context.caller, text(request.role_name),
                                       text(request.policy_document));
            });
        });
    add_policy_handlers(registry, roles);
}

}  // namespace kiln::api
