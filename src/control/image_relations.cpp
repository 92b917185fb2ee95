// SPDX-License-Identifier: Apache-2.0
#include "control/image_relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr PageLimits kReferencePages{5, 1000};
constexpr std::size_t kMaxImages = 10;  // AN-2
constexpr std::int32_t kMaxVersionDepth = 10'000;

// What a request asks about one type.
struct Wanted {
    ReferenceType type = ReferenceType::instance;
    std::vector<model::InstanceState> states;  // none: all
    std::int32_t depth = kDefaultVersionDepth;
};

Error bad_option(const ReferenceOption& option, ReferenceType type) {
    return errors::invalid_parameter_value(
        fmt::format("The option '{}' is not valid for the resource type {}.", option.name,
                    model::to_string(type)));
}

Result<std::vector<model::InstanceState>> parse_states(const std::vector<std::string>& values) {
    std::vector<model::InstanceState> states;
    for (const std::string& value : values) {
        const auto state = model::parse<model::InstanceState>(value);
        if (!state) {
            return errors::invalid_parameter_value(fmt::format(
                "Value ({}) for the option state-name is invalid. It is not a state of instances.",
                value));
        }
        states.push_back(*state);
    }
    if (states.empty()) {
        return errors::invalid_parameter_value("The option state-name has no values.");
    }
    return states;
}

Result<Wanted> parse_request(const ReferenceRequest& request) {
    Wanted wanted;
    wanted.type = request.type;
    for (const ReferenceOption& option : request.options) {
        if (request.type == ReferenceType::instance && option.name == "state-name") {
            TRY_ASSIGN(wanted.states, parse_states(option.values));
        } else if (request.type == ReferenceType::launch_template &&
                   option.name == "version-depth") {
            TRY_ASSIGN(wanted.depth, parse_version_depth(option.values));
        } else {
            return bad_option(option, request.type);
        }
    }
    return wanted;
}

Result<std::vector<Wanted>> parse_types(const DescribeReferencesInput& input) {
    if (input.all_types && !input.types.empty()) {
        return errors::invalid_parameter_combination(
            "Give IncludeAllResourceTypes or ResourceTypes, not both.");
    }
    std::vector<Wanted> wanted;
    if (input.all_types) {
        for (const auto& type : enum_names(ReferenceType{})) {
            wanted.emplace_back().type = type.value;
        }
        return wanted;
    }
    if (input.types.empty()) {
        return errors::missing_parameter("ResourceTypes or IncludeAllResourceTypes");
    }
    std::set<ReferenceType> seen;
    for (const ReferenceRequest& request : input.types) {
        if (!seen.insert(request.type).second) {
            return errors::invalid_parameter_value(fmt::format(
                "The resource type {} is given twice.", model::to_string(request.type)));
        }
        TRY_ASSIGN(wanted.emplace_back(), parse_request(request));
    }
    return wanted;
}

// One request within its transaction.
class ReferenceSearch {
  public:
    ReferenceSearch(catalog::Transaction& tx, const Caller& caller) : tx_(tx), caller_(caller) {}

    Status find(const model::ImageId& image, const Wanted& wanted) {
        switch (wanted.type) {
            case ReferenceType::instance:
                return find_instances(image, wanted.states);
            case ReferenceType::launch_template:
                return find_templates(image, wanted.depth);
            case ReferenceType::parameter:
                return find_parameters(image);
            case ReferenceType::image_recipe:
            case ReferenceType::container_recipe:
                return ok();  // there are none here
        }
        return ok();
    }
    std::vector<ImageReference> take() { return std::move(found_); }

  private:
    void add(const model::ImageId& image, ReferenceType type, std::string_view service,
             const std::string& resource) {
        found_.push_back({image, type,
                          fmt::format("arn:aws:{}:{}:{}:{}", service, caller_.region,
                                      caller_.account.str(), resource)});
    }
    Status find_instances(const model::ImageId& image,
                          const std::vector<model::InstanceState>& states) {
        catalog::InstanceQuery query;
        query.region = caller_.region;
        query.owners = {caller_.account};
        query.images = {image};
        query.states = states;
        TRY_ASSIGN(const auto instances, tx_.instances().list(query));
        for (const model::Instance& instance : instances) {
            add(image, ReferenceType::instance, "ec2", "instance/" + instance.id.str());
        }
        return ok();
    }
    Status find_templates(const model::ImageId& image, std::int32_t depth) {
        TRY_ASSIGN(const auto templates, templates_naming(tx_, caller_.region, image));
        for (const model::LaunchTemplate& of : templates) {
            if (of.owner_id != caller_.account) {
                continue;
            }
            TRY_ASSIGN(const bool names, template_names(tx_, of.id, image, depth));
            if (names) {
                add(image, ReferenceType::launch_template, "ec2", "launch-template/" + of.id.str());
            }
        }
        return ok();
    }
    Status find_parameters(const model::ImageId& image) {
        catalog::ParameterQuery query;
        query.region = caller_.region;
        query.owners = {caller_.account};
        query.images = {image};
        TRY_ASSIGN(const auto parameters, tx_.parameters().list(query));
        for (const model::StoredParameter& parameter : parameters) {
            add(image, ReferenceType::parameter, "ssm",
                (parameter.name.starts_with('/') ? "parameter" : "parameter/") + parameter.name);
        }
        return ok();
    }

    catalog::Transaction& tx_;
    const Caller& caller_;
    std::vector<ImageReference> found_;
};

catalog::Cursor cursor_of(const ImageReference& reference) {
    return {{}, reference.image.str() + reference.arn};
}

}  // namespace

Result<std::int32_t> parse_version_depth(const std::vector<std::string>& values) {
    const auto depth = values.size() == 1 ? parse_int<std::int32_t>(values[0]) : std::nullopt;
    if (!depth || *depth < 1 || *depth > kMaxVersionDepth) {
        return errors::invalid_parameter_value(fmt::format(
            "The option version-depth has one value, a number from 1 to {}.", kMaxVersionDepth));
    }
    return *depth;
}

Result<bool> template_names(catalog::Transaction& tx, const model::LaunchTemplateId& id,
                            const model::ImageId& image, std::int32_t depth) {
    catalog::LaunchTemplateVersionQuery query;
    query.of = id;
    query.page.newest_first = true;
    query.page.limit = static_cast<std::size_t>(depth);
    TRY_ASSIGN(const auto versions, tx.launch_template_versions().list(query));
    return std::any_of(versions.begin(), versions.end(),
                       [&](const auto& version) { return version.image == image.str(); });
}

Result<std::vector<model::LaunchTemplate>> templates_naming(catalog::Transaction& tx,
                                                            const std::string& region,
                                                            const model::ImageId& image) {
    catalog::LaunchTemplateVersionQuery naming;
    naming.image = image;
    TRY_ASSIGN(const auto versions, tx.launch_template_versions().list(naming));
    std::set<model::LaunchTemplateId> ids;
    for (const model::LaunchTemplateVersion& version : versions) {
        ids.insert(version.template_id);
    }
    std::vector<model::LaunchTemplate> templates;
    for (const model::LaunchTemplateId& id : ids) {
        TRY_ASSIGN(auto of, tx.launch_templates().get(id));
        if (of.region == region) {
            templates.push_back(std::move(of));
        }
    }
    return templates;
}

Result<std::vector<model::Image>> ImageRelations::ancestry(const Caller& caller,
                                                           const model::ImageId& id, bool dry_run) {
    return store_.read([&](catalog::Transaction& tx) -> Result<std::vector<model::Image>> {
        TRY_ASSIGN(auto image, tx.images().find(id));
        if (!image || image->region != caller.region || !may_use(*image, caller)) {
            return errors::images_not_found({id.str()});
        }
        TRY(model::next(image->state, model::ImageEvent::use_attribute, id));
        if (dry_run) {
            return errors::dry_run();
        }
        std::vector<model::Image> chain;
        std::set<model::ImageId> seen;  // a circle would be damage, and must not hang a request
        while (image && seen.insert(image->id).second) {
            const model::ImageId source = image->source_image_id;
            chain.push_back(std::move(*image));
            image.reset();
            if (!source.empty()) {
                TRY_ASSIGN(image, tx.images().find(source));
            }
        }
        return chain;
    });
}

Result<Page<ImageReference>> ImageRelations::references(const Caller& caller,
                                                        const DescribeReferencesInput& input) {
    if (input.images.empty()) {
        return errors::missing_parameter("ImageIds");
    }
    if (input.images.size() > kMaxImages) {
        return errors::invalid_parameter_value(
            fmt::format("ImageIds has at most {} members.", kMaxImages));
    }
    TRY_ASSIGN(const auto wanted, parse_types(input));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kReferencePages));
    if (input.dry_run) {
        return errors::dry_run();
    }
    TRY_ASSIGN(auto found,
               store_.read([&](catalog::Transaction& tx) -> Result<std::vector<ImageReference>> {
                   ReferenceSearch search(tx, caller);
                   const std::set<model::ImageId> images(input.images.begin(), input.images.end());
                   for (const model::ImageId& image : images) {
                       for (const Wanted& one : wanted) {
                           TRY(search.find(image, one));
                       }
                   }
                   return search.take();
               }));
    std::sort(found.begin(), found.end(),
              [](const auto& a, const auto& b) { return is_before(cursor_of(a), cursor_of(b)); });
    std::erase_if(found,
                  [&](const auto& reference) { return !is_after(cursor_of(reference), start); });
    return cut_page(caller, input.page, start, std::move(found), cursor_of);
}

}  // namespace kiln::control
