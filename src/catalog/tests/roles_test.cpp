// SPDX-License-Identifier: Apache-2.0
// Roles and instance profiles in every store: unique names, selection.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

TEST_CASE_TEMPLATE("IAM-1: a name is taken per owner, whatever the case of its letters", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    const auto store = backend.open();
    const auto insert = [&](const std::string& id, const std::string& name,
                            const AccountId& owner) {
        Role role = full_role();
        role.id = RoleId(id);
        role.name = name;
        role.owner_id = owner;
        InstanceProfile profile = full_instance_profile();
        profile.id = InstanceProfileId(id);
        profile.name = name;
        profile.owner_id = owner;
        profile.role_id = role.id;
        const Status roles = store->run([&](Transaction& tx) { return tx.roles().insert(role); });
        const Status profiles =
            store->run([&](Transaction& tx) { return tx.instance_profiles().insert(profile); });
        CHECK(roles.has_value() == profiles.has_value());
        CHECK((roles || roles.error().code() == Code::already_exists));
        return roles.has_value();
    };
    CHECK(insert("1", "Web", kAlice));
    CHECK_FALSE(insert("2", "Web", kAlice));
    CHECK_FALSE(insert("3", "wEB", kAlice));
    CHECK(insert("4", "web", kBob));
    CHECK(insert("5", "web2", kAlice));

    const auto found = [&](const InstanceProfileQuery& query) {
        const auto list =
            store->read([&](Transaction& tx) { return tx.instance_profiles().list(query); });
        REQUIRE(list.has_value());
        std::string names;
        for (const InstanceProfile& profile : *list) {
            names += profile.name + " ";
        }
        return names;
    };
    InstanceProfileQuery alice;
    alice.owners = {kAlice};
    CHECK(found(alice) == "Web web2 ");
    alice.names = {"web2", "WEB"};
    CHECK(found(alice) == "web2 ");
    InstanceProfileQuery of_role;
    of_role.role = RoleId("4");
    CHECK(found(of_role) == "web ");
}
