// SPDX-License-Identifier: Apache-2.0
#include "api/access.h"

#include <algorithm>
#include <vector>

#include "api/access_facts.h"
#include "api/access_table.h"
#include "api/request_values.h"
#include "control/resource_facts.h"
#include "control/taggable.h"

namespace kiln::api {
namespace {

using control::PolicyResource;
using control::ResourceName;
using control::ResourceView;
using Resources = std::vector<PolicyResource>;
using Use = Touch::Use;

constexpr std::string_view kAlias = "resolve:ssm:";

std::string action_of(const OperationInfo& operation) {
    return std::string(operation.service->name) + ":" + std::string(operation.name);
}

// One request and who sends it.
struct Call {
    const control::Caller& caller;
    const OperationInfo& operation;
    const void* request;
    std::vector<control::TagSpecification> tags;

    std::vector<std::string> values(std::string_view place) const {
        return request_values(*operation.request, request, place);
    }
    std::string value(std::string_view place) const {
        const auto all = values(place);
        return all.empty() ? std::string() : all.front();
    }
    // Where only one kind of resource is tagged, the request does not name it.
    std::vector<model::Tag> tags_of(std::string_view type) const {
        std::vector<model::Tag> out;
        for (const control::TagSpecification& specification : tags) {
            if (specification.resource_type.empty() || specification.resource_type == type) {
                out.insert(out.end(), specification.tags.begin(), specification.tags.end());
            }
        }
        return out;
    }
};

// Operations that do nothing but tag what is there, or take tags off it.
bool tags_alone(std::string_view operation) {
    return operation == "CreateTags" || operation == "DeleteTags" || operation.starts_with("Tag") ||
           operation.starts_with("Untag");
}

// What a touch names. Where it names nothing, nothing: the use case says what is missing.
std::vector<ResourceName> names_of(const Call& call, const Touch& touch) {
    std::vector<ResourceName> names;
    auto values = call.values(touch.member);
    if (values.empty() && touch.use == Use::or_default) {
        values.emplace_back();
    }
    const std::string region = touch.member.starts_with("Source") ? call.value("SourceRegion") : "";
    for (std::string& value : values) {
        const std::string_view type =
            touch.type == "taggable" ? control::taggable_type(value) : touch.type;
        // Which image a parameter means is known later.
        if (!type.empty() && !value.starts_with(kAlias)) {
            names.push_back({std::string(type), std::move(value), region});
        }
    }
    return names;
}

bool is_asked_for(const Call& call, const Touch& touch) {
    return touch.only_with.empty() || call.value(touch.only_with) == "true";
}

// Something new, and its name if the request says one.
PolicyResource made(const Call& call, const Touch& touch) {
    const std::string name = touch.member.empty() ? std::string() : call.value(touch.member);
    PolicyResource resource = control::new_resource(call.caller, touch.type);
    if (!name.empty()) {
        const std::string path = call.value("Path");  // of the service iam: "/a/b/"
        const std::string below = path.empty() ? path : path.substr(1);
        resource =
            control::ResourceLookup::name(call.caller, {std::string(touch.type), below + name});
    }
    add_request_tags(resource.facts, call.tags_of(touch.type));
    return resource;
}

Result<Resources> touched(control::ResourceLookup& lookup, const Call& call, const Access& access) {
    Resources all;
    Resources before;  // of the touch before
    for (const Touch& touch : access.all()) {
        if (!is_asked_for(call, touch)) {
            continue;
        }
        Resources now;
        if (touch.use == Use::made) {
            now.push_back(made(call, touch));
        } else if (!touch.member.empty()) {
            TRY_ASSIGN(now, lookup.find(call.caller, names_of(call, touch)));
        }
        if (touch.use == Use::own && now.empty() && call.caller.identity) {
            now.push_back(control::resource_by_arn(principal_arn_of(call.caller)));
        }
        if (touch.use == Use::copied) {
            // What is cut from volumes is snapshots.
            const std::string_view type =
                touch.type == "attached-volume" ? std::string_view("snapshot") : touch.type;
            const Resources& sources = touch.member.empty() ? before : now;
            Resources copies;
            for (const PolicyResource& source : sources) {
                copies.push_back(
                    control::copied_resource(call.caller, type, source, call.tags_of(type)));
            }
            now = std::move(copies);
        }
        if (tags_alone(call.operation.name)) {
            for (PolicyResource& resource : now) {
                add_request_tags(resource.facts, call.tags_of(""));
                add_tag_keys(resource.facts, call.values("TagKeys"));
            }
        }
        all.insert(all.end(), now.begin(), now.end());
        before = std::move(now);
    }
    return all;
}

Status check_own_action(control::ResourceLookup& lookup, const Call& call) {
    const std::string action = action_of(call.operation);
    if (!looks_at_resources(call.caller)) {
        return authorize(call.caller, action);
    }
    const Access* access = find_access(call.operation);
    if (access == nullptr) {
        return authorize(call.caller, action, ResourceView::unknown);
    }
    TRY_ASSIGN(auto resources, touched(lookup, call, *access));
    add_request_facts(call.operation, call.request, resources);
    if (resources.empty() && !access->all().empty()) {
        return authorize(call.caller, action,
                         access->later ? ResourceView::later : ResourceView::unknown);
    }
    return authorize(call.caller, action, resources);
}

std::string_view tag_action(const OperationInfo& operation) {
    if (operation.service->name != "iam") {
        return "ec2:CreateTags";
    }
    return operation.name == "CreateRole"   ? "iam:TagRole"
           : operation.name == "CreateUser" ? "iam:TagUser"
                                            : "iam:TagInstanceProfile";
}

// Tags that come with what is made.
Status check_tags(const Call& call) {
    const std::string_view service = call.operation.service->name;
    if (call.tags.empty() || tags_alone(call.operation.name) || service == "ssm") {
        return ok();
    }
    const std::string_view action = tag_action(call.operation);
    for (const control::TagSpecification& specification : call.tags) {
        PolicyResource resource;
        if (service == "iam") {
            resource = made(call, find_access(call.operation)->all().front());
        } else {
            const std::string type =
                service == "ebs" ? std::string("snapshot") : specification.resource_type;
            resource = control::new_resource(call.caller, type, specification.tags);
            resource.facts.add("ec2:CreateAction", std::string(call.operation.name));
        }
        TRY(authorize(call.caller, action, {std::move(resource)}));
    }
    return ok();
}

}  // namespace

Status check_parameter_access(const control::Caller& caller, std::string_view alias) {
    std::string_view name = alias.substr(alias.starts_with(kAlias) ? kAlias.size() : 0);
    name = name.substr(0, name.find(':'));  // a version or a label may follow
    const auto resource = control::ResourceLookup::name(caller, {"parameter", std::string(name)});
    return authorize(caller, "ssm:GetParameters", {resource});
}

Status check_besides(const control::Caller& caller, const OperationInfo& operation,
                     const void* request) {
    if (!caller.identity) {
        return ok();
    }
    const Call call{caller, operation, request, request_tags(*operation.request, request)};
    TRY(check_tags(call));
    const std::string image = call.value("ImageId");
    return image.starts_with(kAlias) ? check_parameter_access(caller, image) : ok();
}

Status check_access(control::ResourceLookup& lookup, const control::Caller& caller,
                    const OperationInfo& operation, const void* request) {
    const std::string_view service = operation.service->name;
    // Nobody can be kept from asking who they are.
    if (!caller.identity || (service == "sts" && operation.name == "GetCallerIdentity")) {
        return ok();
    }
    const control::Identity& identity = *caller.identity;
    if (service == "sts" && operation.name == "AssumeRole") {
        return ok();  // the role's trust decides too: control looks at both (IAM-17)
    }
    if (identity.temporary() && identity.kind != control::Identity::Kind::role &&
        (service == "iam" || service == "sts")) {  // IAM-20
        return Error::api(Code::permission_denied, "AccessDenied",
                          "The keys of GetSessionToken cannot call " + action_of(operation) + ".");
    }
    if (service == "sts" && operation.name == "GetSessionToken") {
        return ok();  // one's own rights, for a time: needs no permission
    }
    TRY(check_own_action(lookup,
                         {caller, operation, request, request_tags(*operation.request, request)}));
    return check_besides(caller, operation, request);
}

}  // namespace kiln::api
