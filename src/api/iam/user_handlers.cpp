// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/generated/iam/create_access_key.h"
#include "api/generated/iam/create_user.h"
#include "api/generated/iam/delete_access_key.h"
#include "api/generated/iam/delete_user.h"
#include "api/generated/iam/get_user.h"
#include "api/generated/iam/list_access_keys.h"
#include "api/generated/iam/list_users.h"
#include "api/iam/convert.h"
#include "api/iam/handlers.h"
#include "control/api_errors.h"
#include "control/authorization.h"

namespace kiln::api {
namespace {

using namespace iam;

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

User from_user(const model::User& from) {
    User to;
    to.path = from.path;
    to.user_name = from.name;
    to.user_id = from.id.str();
    to.arn = model::arn_of(from);
    to.create_date = from.created;
    to.tags = from_tags(from.tags);
    return to;
}

Result<CreateUserResponse> create(control::Users& users, const Context& context,
                                  const CreateUserRequest& request) {
    if (non_empty(request.permissions_boundary) != nullptr) {
        return control::errors::unsupported("The parameter PermissionsBoundary is not built yet.");
    }
    control::CreateUserInput input;
    input.name = text(request.user_name);
    input.path = request.path.value_or("/");
    input.tags = to_model_tags(request.tags);
    TRY_ASSIGN(const model::User user, users.create(context.caller, input));
    CreateUserResponse response;
    response.user = from_user(user);
    return response;
}

// Of the account itself, which has no name.
Result<GetUserResponse> get(control::Users& users, const Context& context,
                            const GetUserRequest& request) {
    TRY_ASSIGN(const auto user, users.get(context.caller, text(request.user_name)));
    GetUserResponse response;
    if (user) {
        response.user = from_user(*user);
        return response;
    }
    TRY_ASSIGN(const model::Account account, users.account(context.caller));
    User& root = response.user.emplace();
    root.path = "/";
    root.user_id = account.id.str();
    root.arn = "arn:aws:iam::" + account.id.str() + ":root";
    root.create_date = account.created;
    return response;
}

Result<ListUsersResponse> list(control::Users& users, const Context& context,
                               const ListUsersRequest& request) {
    TRY_ASSIGN(const auto page,
               users.list(context.caller,
                          to_page(request.path_prefix, request.marker, request.max_items)));
    ListUsersResponse response;
    response.users.give();
    for (const model::User& user : page.users) {
        response.users.push_back(from_user(user));
    }
    end_page(response, page.marker);
    return response;
}

Result<CreateAccessKeyResponse> create_key(control::Users& users, const Context& context,
                                           const CreateAccessKeyRequest& request) {
    std::string name;
    TRY_ASSIGN(const model::AccessKey key,
               users.create_key(context.caller, text(request.user_name), name));
    CreateAccessKeyResponse response;
    AccessKey& to = response.access_key.emplace();
    to.user_name = unless_empty(name);
    to.access_key_id = key.id.str();
    to.status = std::string(model::to_string(key.state));
    to.secret_access_key = key.secret;
    to.create_date = key.created;
    return response;
}

Result<ListAccessKeysResponse> list_keys(control::Users& users, const Context& context,
                                         const ListAccessKeysRequest& request) {
    TRY_ASSIGN(const auto page, users.list_keys(context.caller, text(request.user_name),
                                                to_page({}, request.marker, request.max_items)));
    ListAccessKeysResponse response;
    response.access_key_metadata.give();
    for (const model::AccessKey& key : page.keys) {
        AccessKeyMetadata& to = response.access_key_metadata.emplace_back();
        to.user_name = unless_empty(page.user_name);
        to.access_key_id = key.id.str();
        to.status = std::string(model::to_string(key.state));
        to.create_date = key.created;
    }
    end_page(response, page.marker);
    return response;
}

void add_key_handlers(Registry& registry, control::Users& users) {
    registry.add<ops::CreateAccessKey>(
        [&users](Context& context, const CreateAccessKeyRequest& request) {
            return create_key(users, context, request);
        });
    registry.add<ops::ListAccessKeys>(
        [&users](Context& context, const ListAccessKeysRequest& request) {
            return list_keys(users, context, request);
        });
    registry.add<ops::DeleteAccessKey>(
        [&users](Context& context, const DeleteAccessKeyRequest& request) -> Result<Void> {
            TRY(users.remove_key(context.caller, text(request.user_name),
                                 text(request.access_key_id)));
            return Void{};
        });
}

}  // namespace

void add_user_handlers(Registry& registry, Services services) {
    control::Users& users = services.users;
    registry.add<ops::CreateUser>([&users](Context& context, const CreateUserRequest& request) {
        return create(users, context, request);
    });
    registry.add<ops::GetUser>([&users](Context& context, const GetUserRequest& request) {
        return get(users, context, request);
    });
    registry.add<ops::ListUsers>([&users](Context& context, const ListUsersRequest& request) {
        return list(users, context, request);
    });
    registry.add<ops::DeleteUser>(
        [&users](Context& context, const DeleteUserRequest& request) -> Result<Void> {
            TRY(users.remove(context.caller, text(request.user_name)));
            return Void{};
        });
    add_key_handlers(registry, users);
}

}  // namespace kiln::api
