// SPDX-License-Identifier: Apache-2.0
// The tags of roles, users and instance profiles: three operations for each of them (IAM-29).
#include "api/context.h"
#include "api/generated/iam/list_instance_profile_tags.h"
#include "api/generated/iam/list_role_tags.h"
#include "api/generated/iam/list_user_tags.h"
#include "api/generated/iam/tag_instance_profile.h"
#include "api/generated/iam/tag_role.h"
#include "api/generated/iam/tag_user.h"
#include "api/generated/iam/untag_instance_profile.h"
#include "api/generated/iam/untag_role.h"
#include "api/generated/iam/untag_user.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"

namespace kiln::api {
namespace {

using namespace iam;

// `name` is the member of the three requests that says whose tags they are.
template <class Tag, class Untag, class List, class UseCases>
void add(Registry& registry, UseCases& identities,
         std::optional<std::string> Tag::Request::*tag_name,
         std::optional<std::string> Untag::Request::*untag_name,
         std::optional<std::string> List::Request::*list_name) {
    registry.add<Tag>([&identities, tag_name](
                          Context& context, const typename Tag::Request& request) -> Result<Void> {
        TRY(identities.tag(context.caller, (request.*tag_name).value_or(""),
                           to_model_tags(request.tags)));
        return Void{};
    });
    registry.add<Untag>(
        [&identities, untag_name](Context& context,
                                  const typename Untag::Request& request) -> Result<Void> {
            TRY(identities.untag(context.caller, (request.*untag_name).value_or(""),
                                 request.tag_keys.items()));
            return Void{};
        });
    registry.add<List>(
        [&identities, list_name](
            Context& context,
            const typename List::Request& request) -> Result<typename List::Response> {
            TRY_ASSIGN(const auto page,
                       identities.list_tags(context.caller, (request.*list_name).value_or(""),
                                            to_page({}, request.marker, request.max_items)));
            typename List::Response response;
            response.tags = from_tags(page.tags);
            response.tags.give();
            end_page(response, page.marker);
            return response;
        });
}

}  // namespace

void add_identity_tag_handlers(Registry& registry, Services services) {
    add<ops::TagRole, ops::UntagRole, ops::ListRoleTags>(
        registry, services.roles, &TagRoleRequest::role_name, &UntagRoleRequest::role_name,
        &ListRoleTagsRequest::role_name);
    add<ops::TagUser, ops::UntagUser, ops::ListUserTags>(
        registry, services.users, &TagUserRequest::user_name, &UntagUserRequest::user_name,
        &ListUserTagsRequest::user_name);
    add<ops::TagInstanceProfile, ops::UntagInstanceProfile, ops::ListInstanceProfileTags>(
        registry, services.profiles, &TagInstanceProfileRequest::instance_profile_name,
        &UntagInstanceProfileRequest::instance_profile_name,
        &ListInstanceProfileTagsRequest::instance_profile_name);
}

}  // namespace kiln::api
