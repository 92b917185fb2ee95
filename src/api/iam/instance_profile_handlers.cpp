// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/generated/iam/add_role_to_instance_profile.h"
#include "api/generated/iam/create_instance_profile.h"
#include "api/generated/iam/delete_instance_profile.h"
#include "api/generated/iam/get_instance_profile.h"
#include "api/generated/iam/list_instance_profiles.h"
#include "api/generated/iam/list_instance_profiles_for_role.h"
#include "api/generated/iam/remove_role_from_instance_profile.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"

namespace kiln::api {
namespace {

using namespace iam;

Result<CreateInstanceProfileResponse> create(control::InstanceProfiles& profiles,
                                             const Context& context,
                                             const CreateInstanceProfileRequest& request) {
    control::CreateInstanceProfileInput input;
    input.name = text(request.instance_profile_name);
    input.path = request.path.value_or("/");
    input.tags = to_model_tags(request.tags);
    TRY_ASSIGN(const auto view, profiles.create(context.caller, input));
    CreateInstanceProfileResponse response;
    response.instance_profile = from_profile(view);
    return response;
}

Result<GetInstanceProfileResponse> get(control::InstanceProfiles& profiles, const Context& context,
                                       const GetInstanceProfileRequest& request) {
    TRY_ASSIGN(const auto view, profiles.get(context.caller, text(request.instance_profile_name)));
    GetInstanceProfileResponse response;
    response.instance_profile = from_profile(view);
    return response;
}

template <class Response>
Response from_page(const control::InstanceProfilePage& page) {
    Response response;
    response.instance_profiles.give();
    for (const control::InstanceProfileView& view : page.profiles) {
        response.instance_profiles.push_back(from_profile(view));
    }
    end_page(response, page.marker);
    return response;
}

Result<ListInstanceProfilesResponse> list(control::InstanceProfiles& profiles,
                                          const Context& context,
                                          const ListInstanceProfilesRequest& request) {
    TRY_ASSIGN(const auto page,
               profiles.list(context.caller, "",
                             to_page(request.path_prefix, request.marker, request.max_items)));
    return from_page<ListInstanceProfilesResponse>(page);
}

Result<ListInstanceProfilesForRoleResponse> list_for_role(
    control::InstanceProfiles& profiles, const Context& context,
    const ListInstanceProfilesForRoleRequest& request) {
    TRY_ASSIGN(const auto page, profiles.list(context.caller, text(request.role_name),
                                              to_page({}, request.marker, request.max_items)));
    return from_page<ListInstanceProfilesForRoleResponse>(page);
}

}  // namespace

void add_instance_profile_handlers(Registry& registry, Services services) {
    control::InstanceProfiles& profiles = services.profiles;
    registry.add<ops::CreateInstanceProfile>(
        [&profiles](Context& context, const CreateInstanceProfileRequest& request) {
            return create(profiles, context, request);
        });
    registry.add<ops::GetInstanceProfile>(
        [&profiles](Context& context, const GetInstanceProfileRequest& request) {
            return get(profiles, context, request);
        });
    registry.add<ops::ListInstanceProfiles>(
        [&profiles](Context& context, const ListInstanceProfilesRequest& request) {
            return list(profiles, context, request);
        });
    registry.add<ops::ListInstanceProfilesForRole>(
        [&profiles](Context& context, const ListInstanceProfilesForRoleRequest& request) {
            return list_for_role(profiles, context, request);
        });
    registry.add<ops::DeleteInstanceProfile>(
        [&profiles](Context& context, const DeleteInstanceProfileRequest& request) -> Result<Void> {
            TRY(profiles.remove(context.caller, text(request.instance_profile_name)));
            return Void{};
        });
    registry.add<ops::AddRoleToInstanceProfile>(
        [&profiles](Context& context,
                    const AddRoleToInstanceProfileRequest& request) -> Result<Void> {
            TRY(profiles.add_role(context.caller, text(request.instance_profile_name),
                                  text(request.role_name)));
            return Void{};
        });
    registry.add<ops::RemoveRoleFromInstanceProfile>(
        [&profiles](Context& context,
                    const RemoveRoleFromInstanceProfileRequest& request) -> Result<Void> {
            TRY(profiles.remove_role(context.caller, text(request.instance_profile_name),
                                     text(request.role_name)));
            return Void{};
        });
}

}  // namespace kiln::api
