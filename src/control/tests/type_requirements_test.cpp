// SPDX-License-Identifier: Apache-2.0
#include "control/type_requirements.h"

#include <doctest/doctest.h>

#include <set>

using namespace kiln;
using namespace kiln::control;

namespace {

const Caller kAnybody{model::AccountId("111111111111"), "us-east-1", true, "test"};

TypeRequirements anything() {
    TypeRequirements wanted;
    wanted.architectures = {"x86_64"};
    wanted.virtualization_types = {"hvm"};
    wanted.vcpus.min = 0;
    wanted.memory_mib.min = 0;
    wanted.burstable = Presence::included;
    return wanted;
}

std::set<std::string> found(const TypeRequirements& wanted) {
    const auto page = find_instance_types(kAnybody, {wanted, {}});
    REQUIRE(page);
    std::set<std::string> names;
    for (const InstanceType* type : page->items) {
        names.emplace(type->name);
    }
    return names;
}

// What a requirement leaves is what `is_so` says of each type that anything() finds.
template <class F>
void check_leaves(const TypeRequirements& wanted, F is_so) {
    std::set<std::string> right;
    for (const std::string& name : found(anything())) {
        if (is_so(*find_instance_type(name))) {
            right.insert(name);
        }
    }
    CHECK_FALSE(right.empty());
    CHECK(found(wanted) == right);
}

std::string code(const TypeRequirements& wanted) {
    const auto page = find_instance_types(kAnybody, {wanted, {}});
    return page ? "" : page.error().api_code();
}

}  // namespace

TEST_CASE("TYP-4: processors and memory are found by range") {
    CHECK(found(anything()).size() > 10);
    TypeRequirements wanted = anything();
    wanted.vcpus = {2, 2};
    check_leaves(wanted, [](const InstanceType& type) { return type.vcpus == 2; });
    wanted = anything();
    wanted.memory_mib = {1024, 4096};
    check_leaves(wanted, [](const InstanceType& type) {
        return type.memory_mib >= 1024 && type.memory_mib <= 4096;
    });
    wanted = anything();
    wanted.memory_gib_per_vcpu = {4, {}};
    check_leaves(wanted,
                 [](const InstanceType& type) { return type.memory_mib >= 4096 * type.vcpus; });
    wanted = anything();
    wanted.manufacturers = {"amd"};
    check_leaves(wanted,
                 [](const InstanceType& type) { return type.family->manufacturer == "AMD"; });
    wanted.manufacturers = {"apple"};
    CHECK(found(wanted).empty());
    wanted = anything();
    wanted.architectures = {"arm64"};
    CHECK(found(wanted).empty());
    wanted = anything();
    wanted.virtualization_types = {"paravirtual"};
    CHECK(found(wanted).contains("m1.small"));
    CHECK_FALSE(found(wanted).contains("t3.nano"));
}

TEST_CASE("TYP-4: without a word bare metal and burstable types are left out") {
    TypeRequirements wanted = anything();
    wanted.burstable = TypeRequirements().burstable;
    check_leaves(wanted, [](const InstanceType& type) { return !type.family->burstable; });
    wanted.burstable = Presence::required;
    check_leaves(wanted, [](const InstanceType& type) { return type.family->burstable; });
    wanted = anything();
    wanted.bare_metal = Presence::included;
    CHECK(found(wanted) == found(anything()));
    wanted.bare_metal = Presence::required;
    CHECK(found(wanted).empty());
    wanted = anything();
    wanted.generations = {"previous"};
    check_leaves(wanted, [](const InstanceType& type) { return !type.family->current_generation; });
}

TEST_CASE("TYP-4: disks, links and interfaces count; what no type has finds nothing") {
    TypeRequirements wanted = anything();
    wanted.local_storage = Presence::required;
    wanted.local_storage_types = {"ssd"};
    check_leaves(wanted, [](const InstanceType& type) { return type.family->disk_type == "ssd"; });
    wanted = anything();
    wanted.local_storage = Presence::excluded;
    check_leaves(wanted, [](const InstanceType& type) { return type.instance_store_disks == 0; });
    wanted = anything();
    wanted.local_storage_gb.min = 50;
    check_leaves(wanted, [](const InstanceType& type) {
        return type.instance_store_disks * type.instance_store_gb_each >= 50;
    });
    wanted = anything();
    wanted.ebs_mbps.min = 1;
    check_leaves(wanted, [](const InstanceType& type) { return type.ebs.baseline_mbps >= 1; });
    wanted = anything();
    wanted.interfaces = {3, 3};
    check_leaves(wanted, [](const InstanceType& type) { return type.interfaces == 3; });
    wanted = anything();
    wanted.accelerators = {{}, 0};
    CHECK(found(wanted) == found(anything()));
    wanted.accelerators = {1, {}};
    CHECK(found(wanted).empty());
    wanted = anything();
    wanted.accelerator_memory_mib = {1, {}};
    CHECK(found(wanted).empty());
    for (bool TypeRequirements::*flag :
         {&TypeRequirements::named_accelerators, &TypeRequirements::hibernation,
          &TypeRequirements::encryption_in_transit}) {
        wanted = anything();
        wanted.*flag = true;
        CHECK(found(wanted).empty());
    }
}

TEST_CASE("TYP-4: types are allowed or excluded by patterns, not both; ranges have an order") {
    TypeRequirements wanted = anything();
    wanted.allowed = {"t3.*", "m5.large"};
    check_leaves(wanted, [](const InstanceType& type) {
        return type.name.starts_with("t3.") || type.name == "m5.large";
    });
    wanted.excluded = {"t2.*"};
    CHECK(code(wanted) == "InvalidParameterCombination");
    wanted.allowed.clear();
    check_leaves(wanted, [](const InstanceType& type) { return !type.name.starts_with("t2."); });
    wanted.excluded.assign(401, "t2.*");
    CHECK(code(wanted) == "InvalidParameterValue");
    wanted = anything();
    wanted.vcpus = {4, 2};
    CHECK(code(wanted) == "InvalidParameterValue");
    wanted.vcpus = {-1, {}};
    CHECK(code(wanted) == "InvalidParameterValue");
}

TEST_CASE("TYP-4: pages hold all types once") {
    std::set<std::string> seen;
    FindTypesInput input{anything(), {}};
    input.page.max_results = 3;
    do {
        const auto page = find_instance_types(kAnybody, input);
        REQUIRE(page);
        CHECK(page->items.size() <= 3);
        for (const InstanceType* type : page->items) {
            CHECK(seen.emplace(type->name).second);
        }
        input.page.next_token = page->next_token;
    } while (!input.page.next_token.empty());
    CHECK(seen == found(anything()));
    input.page.max_results = 0;
    CHECK_FALSE(find_instance_types(kAnybody, input));
}
