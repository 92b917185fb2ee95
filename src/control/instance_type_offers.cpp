// SPDX-License-Identifier: Apache-2.0
#include "control/instance_type_offers.h"

#include <fmt/format.h>

#include "control/api_errors.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;

constexpr PageLimits kTypeLimits{5, 100};    // PAG-2
constexpr PageLimits kOfferLimits{5, 1000};  // PAG-2

const std::vector<model::Tag>& no_tags() {
    static const std::vector<model::Tag> none;
    return none;
}

// The order of the table is the order of the pages.
catalog::Cursor cursor_at(std::size_t place) {
    return {UnixMillis{static_cast<std::int64_t>(place)}, "type"};
}

std::size_t place_of(const InstanceType* type) {
    return static_cast<std::size_t>(type - instance_types().data());
}

Status check_names(const std::vector<std::string>& names) {
    std::string missing;
    for (const std::string& name : names) {
        if (find_instance_type(name) == nullptr) {
            missing += (missing.empty() ? "" : ", ") + name;
        }
    }
    if (!missing.empty()) {  // IDL-2
        return Error::api(
            Code::not_found, "InvalidInstanceType",
            fmt::format("The following supplied instance types do not exist: [{}]", missing));
    }
    return ok();
}

Result<Values> locations(const Region& region, const std::string& location_type) {
    if (location_type == "region") {
        return Values{region.name};
    }
    if (location_type == "outpost") {
        Values arns;
        for (const Outpost& outpost : region.outposts) {
            arns.push_back(outpost.arn);
        }
        return arns;
    }
    if (location_type != "availability-zone" && location_type != "availability-zone-id") {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter locationType is invalid.", location_type));
    }
    Values out;
    for (const Zone& zone : region.zones) {
        out.push_back(location_type == "availability-zone" ? zone.name : zone.id);
    }
    return out;
}

}  // namespace

const FilterTable<TypeOffer>& type_offer_filters() {
    static const FilterTable<TypeOffer> table(
        [](const TypeOffer&) -> const std::vector<model::Tag>& { return no_tags(); },
        {{"instance-type", [](const TypeOffer& offer) { return Values{offer.type}; }},
         {"location", [](const TypeOffer& offer) { return Values{offer.location}; }}});
    return table;
}

Page<const InstanceType*> instance_type_page(
    const Caller& caller, const PageRequest& request, const PageStart& start,
    const std::function<bool(const InstanceType&)>& chosen) {
    std::vector<const InstanceType*> types;
    for (const InstanceType& type : instance_types()) {
        if (is_after(cursor_at(place_of(&type)), start) && chosen(type)) {
            types.push_back(&type);
        }
    }
    return cut_page(caller, request, start, std::move(types),
                    [](const InstanceType* type) { return cursor_at(place_of(type)); });
}

Result<Page<const InstanceType*>> describe_instance_types(const Caller& caller,
                                                          const DescribeTypesInput& input) {
    TRY(instance_type_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kTypeLimits));
    TRY(check_names(input.names));
    return instance_type_page(caller, input.page, start, [&](const InstanceType& type) {
        const bool named = input.names.empty() || std::find(input.names.begin(), input.names.end(),
                                                            type.name) != input.names.end();
        return named && instance_type_filters().matches(input.filters, type);
    });
}

Result<Page<TypeOffer>> describe_type_offers(const Region& region, const Caller& caller,
                                             const DescribeOffersInput& input) {
    TRY(type_offer_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kOfferLimits));
    const std::string location_type = input.location_type.empty() ? "region" : input.location_type;
    TRY_ASSIGN(const Values places, locations(region, location_type));
    std::vector<TypeOffer> offers;
    std::size_t place = 0;
    for (const InstanceType& type : instance_types()) {
        for (const std::string& location : places) {
            TypeOffer offer{std::string(type.name), location_type, location, place++};
            if (is_after(cursor_at(offer.place), start) &&
                type_offer_filters().matches(input.filters, offer)) {
                offers.push_back(std::move(offer));
            }
        }
    }
    return cut_page(caller, input.page, start, std::move(offers),
                    [](const TypeOffer& offer) { return cursor_at(offer.place); });
}

}  // namespace kiln::control
