// SPDX-License-Identifier: Apache-2.0
#include "control/launch_templates.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/idempotency.h"
#include "control/quotas.h"
#include "control/template_data.h"
#include "control/template_lookup.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMinName = 3;  // LT-1
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxDescription = 255;      // LT-1
constexpr std::size_t kMaxVersionsPerCall = 200;  // LT-3
constexpr char kType[] = "launch-template";

Status check_name(const std::string& name) {
    if (name.empty()) {
        return errors::missing_parameter("LaunchTemplateName");
    }
    constexpr std::string_view kAlso = "().-/_";
    const auto fits = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               kAlso.find(c) != kAlso.npos;
    };
    if (name.size() < kMinName || name.size() > kMaxName ||
        !std::all_of(name.begin(), name.end(), fits)) {
        return Error::api(Code::invalid_argument, "InvalidLaunchTemplateName.MalformedException",
                          fmt::format("Launch template names have {} to {} of the characters a-z, "
                                      "A-Z, 0-9, '(', ')', '.', '-', '/' and '_'.",
                                      kMinName, kMaxName));
    }
    return ok();
}

Status check_description(const std::string& description) {
    if (character_count(description) > kMaxDescription) {
        return errors::invalid_parameter_value(
            fmt::format("A version's description has at most {} characters.", kMaxDescription));
    }
    return ok();
}

Status check_token(const std::string& token) {
    return check_client_token(token, kLongClientToken);
}

template <class Input>
ClientToken token_of(std::string_view action, const Caller& caller, const Input& input) {
    return {action, caller.region, input.client_token, input.request_hash};
}

Result<LaunchTemplateView> view_of(catalog::Transaction& tx, const Caller& caller,
                                   model::LaunchTemplate of) {
    TRY_ASSIGN(auto views, load_template_views(tx, caller, {std::move(of)}));
    return std::move(views.front());
}

catalog::LaunchTemplateQuery of_caller(const Caller& caller) {
    catalog::LaunchTemplateQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

// LT-3: a template that cannot be found fails each version by itself. Empty for other errors.
std::string_view removal_code(const Error& error) {
    static constexpr std::pair<std::string_view, std::string_view> kCodes[] = {
        {"InvalidLaunchTemplateId.NotFound", "launchTemplateIdDoesNotExist"},
        {"InvalidLaunchTemplateId.Malformed", "launchTemplateIdMalformed"},
        {"InvalidLaunchTemplateName.NotFoundException", "launchTemplateNameDoesNotExist"},
        {"InvalidLaunchTemplateId.VersionNotFound", "launchTemplateVersionDoesNotExist"}};
    for (const auto& [of_request, of_version] : kCodes) {
        if (error.api_code() == of_request) {
            return of_version;
        }
    }
    return {};
}

std::vector<VersionRemoval> all_failed(const TemplateName& of,
                                       const std::vector<VersionName>& versions,
                                       const Error& error) {
    std::vector<VersionRemoval> removals;
    removals.reserve(versions.size());
    for (const VersionName& version : versions) {
        removals.push_back(
            {of.id, of.name, version.number, std::string(removal_code(error)), error.message()});
    }
    return removals;
}

Status refresh_latest(catalog::Transaction& tx, model::LaunchTemplate& of) {
    catalog::LaunchTemplateVersionQuery newest;
    newest.of = of.id;
    newest.page.limit = 1;
    newest.page.newest_first = true;
    TRY_ASSIGN(const auto left, tx.launch_template_versions().list(newest));
    if (left.empty()) {
        return Error(Code::data_loss, of.id.str() + " has no version");
    }
    of.latest_version = left.front().number;
    return ok();
}

// LT-3.
Result<VersionRemoval> remove_version(catalog::Transaction& tx, model::LaunchTemplate& of,
                                      std::int64_t number) {
    VersionRemoval removal{of.id.str(), of.name, number, "", ""};
    const auto found = find_version(tx, of, number);
    if (!found) {
        removal.error_code = removal_code(found.error());
        removal.error_message = found.error().message();
        return removal.error_code.empty() ? Result<VersionRemoval>(found.error()) : removal;
    }
    if (number == of.default_version) {
        removal.error_code = "unexpectedError";
        removal.error_message =
            "The default version of a launch template cannot be deleted. Set another default "
            "version first.";
        return removal;
    }
    TRY(tx.launch_template_versions().erase(found->id()));
    --of.version_count;
    return removal;
}

}  // namespace

Result<LaunchTemplateView> LaunchTemplates::insert(catalog::Transaction& tx, const Caller& caller,
                                                   const CreateLaunchTemplateInput& input) {
    catalog::LaunchTemplateQuery query = of_caller(caller);
    query.names = {input.name};
    TRY_ASSIGN(const auto named, tx.launch_templates().list(query));
    if (!named.empty()) {
        return Error::api(Code::already_exists, "InvalidLaunchTemplateName.AlreadyExistsException",
                          "Launch template name already in use.");
    }
    TRY(check_template_quota(tx, quotas_, caller));  // LT-11
    if (input.dry_run) {
        return errors::dry_run();
    }
    model::LaunchTemplate made;
    made.id = model::make_id<model::LaunchTemplateId>(rng_);
    made.owner_id = caller.account;
    made.region = caller.region;
    made.name = input.name;
    made.created = clock_.now();
    made.created_by = arn_of(caller);
    TRY(tx.launch_templates().insert(made));
    model::LaunchTemplateVersion version;
    version.template_id = made.id;
    version.created = made.created;
    version.created_by = made.created_by;
    version.description = input.description;
    version.data = input.data;
    version.image = template_image(version.data);
    TRY(tx.launch_template_versions().insert(version));
    const auto tags = tags_for(input.tags, kType);
    TRY(put_tags(tx, caller, kType, made.id.str(), tags));
    return LaunchTemplateView{std::move(made), tags};
}

Result<LaunchTemplateView> LaunchTemplates::create(const Caller& caller,
                                                   const CreateLaunchTemplateInput& input) {
    TRY(check_name(input.name));
    TRY(check_description(input.description));
    TRY(check_token(input.client_token));
    TRY(check_tag_specifications(input.tags, {kType}));
    TRY(check_template_data(input.data));
    return store_.run([&](catalog::Transaction& tx) -> Result<LaunchTemplateView> {
        const ClientToken token = token_of("CreateLaunchTemplate", caller, input);
        TRY_ASSIGN(const auto known, find_result(tx, caller, token));
        if (known) {
            TRY_ASSIGN(auto of, find_template(tx, caller, {*known, ""}));
            if (input.dry_run) {
                return errors::dry_run();  // WIRE-8
            }
            return view_of(tx, caller, std::move(of));
        }
        TRY_ASSIGN(auto made, insert(tx, caller, input));
        TRY(remember_result(tx, caller, token, made.of.id.str(), made.of.created));
        return made;
    });
}

Result<TemplateVersionView> LaunchTemplates::insert_version(
    catalog::Transaction& tx, const Caller& caller, const CreateTemplateVersionInput& input) {
    TRY_ASSIGN(auto of, find_template(tx, caller, input.of));
    std::string data = input.data;
    if (!input.source_version.empty()) {
        TRY_ASSIGN(const VersionName name, parse_version(input.source_version));
        TRY_ASSIGN(const auto source, find_version(tx, of, number_of(name, of)));
        TRY_ASSIGN(data, overlay_template(source.data, input.data));
    }
    TRY(check_version_quota(quotas_, of));  // LT-11
    if (input.dry_run) {
        return errors::dry_run();
    }
    TRY_ASSIGN(const auto latest, find_version(tx, of, of.latest_version));
    model::LaunchTemplateVersion version;
    version.template_id = of.id;
    version.number = of.last_number + 1;
    version.created = std::max(clock_.now(), latest.created);  // pages are in this order
    version.created_by = arn_of(caller);
    version.description = input.description;
    version.image = template_image(data);
    version.data = std::move(data);
    TRY(tx.launch_template_versions().insert(version));
    of.last_number = version.number;
    of.latest_version = version.number;
    ++of.version_count;
    TRY(tx.launch_templates().update(of));
    return TemplateVersionView{std::move(of), std::move(version)};
}

Result<TemplateVersionView> LaunchTemplates::create_version(
    const Caller& caller, const CreateTemplateVersionInput& input) {
    TRY(check_description(input.description));
    TRY(check_token(input.client_token));
    TRY(check_template_data(input.data));
    return store_.run([&](catalog::Transaction& tx) -> Result<TemplateVersionView> {
        const ClientToken token = token_of("CreateLaunchTemplateVersion", caller, input);
        TRY_ASSIGN(const auto known, find_result(tx, caller, token));
        if (known) {
            TRY_ASSIGN(auto of, find_template(tx, caller, input.of));
            TRY_ASSIGN(const VersionName name, parse_version(*known));
            TRY_ASSIGN(auto version, find_version(tx, of, name.number));
            if (input.dry_run) {
                return errors::dry_run();  // WIRE-8
            }
            return TemplateVersionView{std::move(of), std::move(version)};
        }
        TRY_ASSIGN(auto made, insert_version(tx, caller, input));
        TRY(remember_result(tx, caller, token, std::to_string(made.version.number),
                            made.version.created));
        return made;
    });
}

Result<LaunchTemplateView> LaunchTemplates::modify(const Caller& caller,
                                                   const ModifyLaunchTemplateInput& input) {
    TRY(check_token(input.client_token));
    if (input.default_version.empty()) {
        return errors::missing_parameter("SetDefaultVersion");
    }
    TRY_ASSIGN(const VersionName name, parse_version(input.default_version));
    return store_.run([&](catalog::Transaction& tx) -> Result<LaunchTemplateView> {
        const ClientToken token = token_of("ModifyLaunchTemplate", caller, input);
        TRY_ASSIGN(const auto known, find_result(tx, caller, token));
        TRY_ASSIGN(auto of, find_template(tx, caller, input.of));
        if (!known) {
            TRY_ASSIGN(const auto version, find_version(tx, of, number_of(name, of)));
            of.default_version = version.number;
        }
        if (input.dry_run) {
            return errors::dry_run();
        }
        if (known) {
            return view_of(tx, caller, std::move(of));
        }
        TRY(tx.launch_templates().update(of));
        TRY(remember_result(tx, caller, token, of.id.str(), clock_.now()));
        return view_of(tx, caller, std::move(of));
    });
}

Result<LaunchTemplateView> LaunchTemplates::remove(const Caller& caller, const TemplateName& name,
                                                   bool dry_run) {
    return store_.run([&](catalog::Transaction& tx) -> Result<LaunchTemplateView> {
        TRY_ASSIGN(auto of, find_template(tx, caller, name));
        if (dry_run) {
            return errors::dry_run();
        }
        TRY_ASSIGN(auto view, view_of(tx, caller, std::move(of)));
        catalog::LaunchTemplateVersionQuery query;
        query.of = view.of.id;
        TRY_ASSIGN(const auto versions, tx.launch_template_versions().list(query));
        for (const model::LaunchTemplateVersion& version : versions) {
            TRY(tx.launch_template_versions().erase(version.id()));
        }
        TRY(tx.tags().erase_resource(view.of.id.str()));  // TAG-8
        TRY(tx.launch_templates().erase(view.of.id));
        return view;
    });
}

Result<TemplateVersionView> LaunchTemplates::find(const Caller& caller, const TemplateName& of,
                                                  const std::string& version) {
    TRY_ASSIGN(const VersionName name, parse_version(version.empty() ? "$Default" : version));
    return store_.read([&](catalog::Transaction& tx) -> Result<TemplateVersionView> {
        TRY_ASSIGN(auto found, find_template(tx, caller, of));
        TRY_ASSIGN(auto row, find_version(tx, found, number_of(name, found)));
        return TemplateVersionView{std::move(found), std::move(row)};
    });
}

Result<std::vector<VersionRemoval>> LaunchTemplates::remove_versions(
    const Caller& caller, const DeleteTemplateVersionsInput& input) {
    if (input.versions.empty()) {
        return errors::missing_parameter("LaunchTemplateVersion");
    }
    if (input.versions.size() > kMaxVersionsPerCall) {
        return errors::invalid_parameter_value(
            fmt::format("At most {} versions may be deleted by one request.", kMaxVersionsPerCall));
    }
    std::vector<VersionName> wanted;
    for (const std::string& text : input.versions) {
        TRY_ASSIGN(wanted.emplace_back(), parse_version(text));
    }
    return store_.run([&](catalog::Transaction& tx) -> Result<std::vector<VersionRemoval>> {
        auto found = find_template(tx, caller, input.of);
        if (!found) {
            return removal_code(found.error()).empty()
                       ? Result<std::vector<VersionRemoval>>(found.error())
                       : all_failed(input.of, wanted, found.error());
        }
        if (input.dry_run) {
            return errors::dry_run();
        }
        const model::LaunchTemplate before = *found;  // what $Latest means does not move meanwhile
        std::vector<VersionRemoval> removals;
        for (const VersionName& name : wanted) {
            TRY_ASSIGN(removals.emplace_back(),
                       remove_version(tx, *found, number_of(name, before)));
        }
        TRY(refresh_latest(tx, *found));
        TRY(tx.launch_templates().update(*found));
        return removals;
    });
}

}  // namespace kiln::control
