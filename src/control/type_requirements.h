// SPDX-License-Identifier: Apache-2.0
// TypeRequirements: which instance types have what is asked for (TYP-4), by what the table of types
// knows. Thread model: plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/instance_types.h"
#include "control/pagination.h"
#include "model/names.h"

namespace kiln::control {

// Either end may be open.
struct NumberRange {
    std::optional<double> min;
    std::optional<double> max;
    bool holds(double value) const {
        return value >= min.value_or(value) && value <= max.value_or(value);
    }
};

enum class Presence { included, required, excluded };
constexpr auto enum_names(Presence) {
    return std::to_array<model::EnumName<Presence>>({{Presence::included, "included"},
                                                     {Presence::required, "required"},
                                                     {Presence::excluded, "excluded"}});
}

// An empty list of alternatives asks for nothing. Words are those of the API.
struct TypeRequirements {
    std::vector<std::string> architectures;
    std::vector<std::string> virtualization_types;
    NumberRange vcpus;
    NumberRange memory_mib;
    NumberRange memory_gib_per_vcpu;
    std::vector<std::string> manufacturers;  // "intel"
    std::vector<std::string> allowed;        // names with `*`
    std::vector<std::string> excluded;       // the same; not both
    std::vector<std::string> generations;
    Presence bare_metal = Presence::excluded;
    Presence burstable = Presence::excluded;
    Presence local_storage = Presence::included;
    std::vector<std::string> local_storage_types;
    NumberRange local_storage_gb;
    NumberRange interfaces;
    NumberRange ebs_mbps;
    NumberRange accelerators;
    NumberRange accelerator_memory_mib;
    bool named_accelerators = false;  // of a type, a manufacturer or a name
    bool hibernation = false;
    bool encryption_in_transit = false;
};

struct FindTypesInput {
    TypeRequirements requirements;
    PageRequest page;
};

bool has_all(const InstanceType& type, const TypeRequirements& wanted);
// In the order of the table.
Result<Page<const InstanceType*>> find_instance_types(const Caller& caller,
                                                      const FindTypesInput& input);

}  // namespace kiln::control
