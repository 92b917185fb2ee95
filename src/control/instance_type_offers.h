// SPDX-License-Identifier: Apache-2.0
// Describing the instance types and where they are offered (TYP-1 .. TYP-3): every type in every
// zone of the topology. Thread model: pure functions over immutable tables.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_types.h"
#include "control/pagination.h"
#include "control/topology.h"

namespace kiln::control {

struct DescribeTypesInput {
    std::vector<std::string> names;
    std::vector<Filter> filters;
    PageRequest page;
};

struct TypeOffer {
    std::string type;
    std::string location_type;  // region, availability-zone, availability-zone-id, outpost
    std::string location;
    std::size_t place = 0;  // in the whole list
};

struct DescribeOffersInput {
    std::string location_type;  // empty: region
    std::vector<Filter> filters;
    PageRequest page;
};

Result<Page<const InstanceType*>> describe_instance_types(const Caller& caller,
                                                          const DescribeTypesInput& input);
// `region`: the caller's, with the zones the account may use (Zones::region()).
Result<Page<TypeOffer>> describe_type_offers(const Region& region, const Caller& caller,
                                             const DescribeOffersInput& input);

// A page of the types that `chosen` says, in the order of the table.
Page<const InstanceType*> instance_type_page(
    const Caller& caller, const PageRequest& request, const PageStart& start,
    const std::function<bool(const InstanceType&)>& chosen);

const FilterTable<InstanceType>& instance_type_filters();
const FilterTable<TypeOffer>& type_offer_filters();

}  // namespace kiln::control
