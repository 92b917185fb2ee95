// SPDX-License-Identifier: Apache-2.0
// What roles, users and instance profiles have alike: tags, with three operations for each of them
// (IAM-29), and, but for profiles, inline policies with four (IAM-4, IAM-23).
#include "api/context.h"
#include "api/generated/iam/delete_role_policy.h"
#include "api/generated/iam/delete_user_policy.h"
#include "api/generated/iam/get_role_policy.h"
#include "api/generated/iam/get_user_policy.h"
#include "api/generated/iam/list_instance_profile_tags.h"
#include "api/generated/iam/list_role_policies.h"
#include "api/generated/iam/list_role_tags.h"
#include "api/generated/iam/list_user_policies.h"
#include "api/generated/iam/list_user_tags.h"
#include "api/generated/iam/put_role_policy.h"
#include "api/generated/iam/put_user_policy.h"
#include "api/generated/iam/tag_instance_profile.h"
#include "api/generated/iam/tag_role.h"
#include "api/generated/iam/tag_user.h"
#include "api/generated/iam/untag_instance_profile.h"
#include "api/generated/iam/untag_role.h"
#include "api/generated/iam/untag_user.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"
#include "util/encoding.h"

namespace kiln::api {
namespace {

using namespace iam;

// The operations of each kind, and the member of their messages that says whose the thing is.
struct OfRole {
    using Tag = ops::TagRole;
    using Untag = ops::UntagRole;
    using ListTags = ops::ListRoleTags;
    using PutPolicy = ops::PutRolePolicy;
    using GetPolicy = ops::GetRolePolicy;
    using DeletePolicy = ops::DeleteRolePolicy;
    using ListPolicies = ops::ListRolePolicies;
    static auto& name(auto& message) { return message.role_name; }
};

struct OfUser {
    using Tag = ops::TagUser;
    using Untag = ops::UntagUser;
    using ListTags = ops::ListUserTags;
    using PutPolicy = ops::PutUserPolicy;
    using GetPolicy = ops::GetUserPolicy;
    using DeletePolicy = ops::DeleteUserPolicy;
    using ListPolicies = ops::ListUserPolicies;
    static auto& name(auto& message) { return message.user_name; }
};

struct OfProfile {
    using Tag = ops::TagInstanceProfile;
    using Untag = ops::UntagInstanceProfile;
    using ListTags = ops::ListInstanceProfileTags;
    static auto& name(auto& message) { return message.instance_profile_name; }
};

template <class Of, class UseCases>
void add_tags(Registry& registry, UseCases& identities) {
    using Tag = typename Of::Tag;
    using Untag = typename Of::Untag;
    using ListTags = typename Of::ListTags;
    registry.add<Tag>([&identities](Context& context,
                                    const typename Tag::Request& request) -> Result<Void> {
        TRY(identities.tag(context.caller, text(Of::name(request)), to_model_tags(request.tags)));
        return Void{};
    });
    registry.add<Untag>([&identities](Context& context,
                                      const typename Untag::Request& request) -> Result<Void> {
        TRY(identities.untag(context.caller, text(Of::name(request)), request.tag_keys.items()));
        return Void{};
    });
    registry.add<ListTags>(
        [&identities](
            Context& context,
            const typename ListTags::Request& request) -> Result<typename ListTags::Response> {
            TRY_ASSIGN(const auto page,
                       identities.list_tags(context.caller, text(Of::name(request)),
                                            to_page({}, request.marker, request.max_items)));
            typename ListTags::Response response;
            response.tags = from_tags(page.tags);
            response.tags.give();
            end_page(response, page.marker);
            return response;
        });
}

template <class Of, class UseCases>
void add_policies(Registry& registry, UseCases& identities) {
    using Put = typename Of::PutPolicy;
    using Get = typename Of::GetPolicy;
    using Delete = typename Of::DeletePolicy;
    using ListPolicies = typename Of::ListPolicies;
    registry.add<Put>(
        [&identities](Context& context, const typename Put::Request& request) -> Result<Void> {
            TRY(identities.put_policy(context.caller, text(Of::name(request)),
                                      {text(request.policy_name), text(request.policy_document)}));
            return Void{};
        });
    registry.add<Get>([&identities](
                          Context& context,
                          const typename Get::Request& request) -> Result<typename Get::Response> {
        TRY_ASSIGN(const auto policy, identities.get_policy(context.caller, text(Of::name(request)),
                                                            text(request.policy_name)));
        typename Get::Response response;
        Of::name(response) = Of::name(request);
        response.policy_name = policy.name;
        response.policy_document = percent_encode(policy.document);
        return response;
    });
    registry.add<Delete>(
        [&identities](Context& context, const typename Delete::Request& request) -> Result<Void> {
            TRY(identities.remove_policy(context.caller, text(Of::name(request)),
                                         text(request.policy_name)));
            return Void{};
        });
    registry.add<ListPolicies>(
        [&identities](Context& context, const typename ListPolicies::Request& request)
            -> Result<typename ListPolicies::Response> {
            TRY_ASSIGN(const auto page,
                       identities.list_policies(context.caller, text(Of::name(request)),
                                                to_page({}, request.marker, request.max_items)));
            typename ListPolicies::Response response;
            response.policy_names.give();
            for (const std::string& name : page.names) {
                response.policy_names.push_back(name);
            }
            end_page(response, page.marker);
            return response;
        });
}

}  // namespace

void add_identity_handlers(Registry& registry, Services services) {
    add_tags<OfRole>(registry, services.roles);
    add_tags<OfUser>(registry, services.users);
    add_tags<OfProfile>(registry, services.profiles);
    add_policies<OfRole>(registry, services.roles);
    add_policies<OfUser>(registry, services.users);
}

}  // namespace kiln::api
