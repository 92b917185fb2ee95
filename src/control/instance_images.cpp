// SPDX-License-Identifier: Apache-2.0
// AN-4: instances, with what there is to say of their images.
#include <algorithm>
#include <map>

#include "control/api_errors.h"
#include "control/image_relations.h"
#include "control/image_rules.h"
#include "control/instances.h"

namespace kiln::control {
namespace {

constexpr PageLimits kPages{1, 1000};

catalog::Cursor cursor_of(const model::Instance& instance) {
    return {instance.created, instance.id.str()};
}

// The images of these instances which the caller may use, or could until they were deregistered.
Result<std::map<model::ImageId, model::Image>> visible_images(
    catalog::Transaction& tx, const Caller& caller, const std::vector<model::Instance>& instances) {
    catalog::ImageQuery query;
    for (const model::Instance& instance : instances) {
        query.ids.push_back(instance.image_id);
    }
    std::sort(query.ids.begin(), query.ids.end());
    query.ids.erase(std::unique(query.ids.begin(), query.ids.end()), query.ids.end());
    std::map<model::ImageId, model::Image> images;
    if (query.ids.empty()) {
        return images;
    }
    TRY_ASSIGN(auto found, tx.images().list(query));
    for (model::Image& image : found) {
        if (may_use(image, caller)) {
            images[image.id] = std::move(image);
        }
    }
    return images;
}

Result<std::vector<InstanceImage>> load(catalog::Transaction& tx, const Caller& caller,
                                        const Topology& topology,
                                        const std::vector<Filter>& filters,
                                        std::vector<model::Instance> instances) {
    TRY_ASSIGN(const auto images, visible_images(tx, caller, instances));
    std::vector<std::string> ids;
    for (const model::Instance& instance : instances) {
        ids.push_back(instance.id.str());
    }
    TRY_ASSIGN(auto tags, tx.tags().of(caller.account, ids));
    std::vector<InstanceImage> items;
    for (model::Instance& instance : instances) {
        InstanceImage item;
        TRY_ASSIGN(const Zone zone, topology.zone(instance.region, instance.availability_zone));
        item.zone_id = zone.id;
        if (const auto found = images.find(instance.image_id); found != images.end()) {
            item.image = found->second;
        }
        if (const auto found = tags.find(instance.id.str()); found != tags.end()) {
            item.tags = std::move(found->second);
        }
        item.instance = std::move(instance);
        if (instance_image_filters().matches(filters, item)) {
            items.push_back(std::move(item));
        }
    }
    return items;
}

}  // namespace

const FilterTable<InstanceImage>& instance_image_filters() {
    using Values = FilterTable<InstanceImage>::Values;
    static const FilterTable<InstanceImage> table(
        [](const InstanceImage& item) -> const std::vector<model::Tag>& { return item.tags; },
        {
            {"availability-zone",
             [](const InstanceImage& item) { return Values{item.instance.availability_zone}; }},
            {"zone-id", [](const InstanceImage& item) { return Values{item.zone_id}; }},
            {"instance-id",
             [](const InstanceImage& item) { return Values{item.instance.id.str()}; }},
            {"instance-state-name",
             [](const InstanceImage& item) {
                 return Values{std::string(model::to_string(item.instance.state))};
             }},
            {"instance-type",
             [](const InstanceImage& item) { return Values{item.instance.instance_type}; }},
            {"launch-time",
             [](const InstanceImage& item) {
                 return Values{whole_seconds(item.instance.launched)};
             }},
            {"image-allowed", [](const InstanceImage&) { return Values{"true"}; }},
            {"owner-id",
             [](const InstanceImage& item) {
                 return item.image ? Values{item.image->owner_id.str()} : Values{};
             }},
            {"owner-alias",
             [](const InstanceImage& item) {
                 return item.image && !item.image->owner_alias.empty()
                            ? Values{item.image->owner_alias}
                            : Values{};
             }},
        });
    return table;
}

Result<Page<InstanceImage>> ImageRelations::instance_images(
    const Caller& caller, const DescribeInstanceImagesInput& input) {
    TRY(instance_image_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter instancesSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(PageStart start, open_page(caller, input.page, kPages));
    if (!start.limit && input.ids.empty()) {
        start.limit = static_cast<std::size_t>(kPages.max);
    }
    TRY_ASSIGN(auto items,
               store_.read([&](catalog::Transaction& tx) -> Result<std::vector<InstanceImage>> {
                   if (!input.ids.empty()) {
                       TRY_ASSIGN(auto named, find_instances(tx, caller, input.ids));
                       return load(tx, caller, topology_, input.filters, std::move(named));
                   }
                   catalog::InstanceQuery query;
                   query.region = caller.region;
                   query.owners = {caller.account};
                   const auto list = [&](const PageStart& piece) {
                       query.page.after = piece.after;
                       query.page.limit = *piece.limit;
                       return tx.instances().list(query);
                   };
                   return read_page<InstanceImage>(start, !input.filters.empty(), list, cursor_of,
                                                   [&](std::vector<model::Instance> rows) {
                                                       return load(tx, caller, topology_,
                                                                   input.filters, std::move(rows));
                                                   });
               }));
    if (input.dry_run) {
        return errors::dry_run();
    }
    return cut_page(caller, input.page, start, std::move(items),
                    [](const InstanceImage& item) { return cursor_of(item.instance); });
}

}  // namespace kiln::control
