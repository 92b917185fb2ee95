// SPDX-License-Identifier: Apache-2.0
// What the tests of repositories share: that of a type by the type, and what was selected. Thread
// model: that of the store.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "catalog/store.h"

namespace kiln::catalog::testing {

using namespace kiln::model;

template <class T>
Repository<T> rows(Transaction& tx);
#define ROWS(type, accessor)                        \
    template <>                                     \
    inline Repository<type> rows(Transaction& tx) { \
        return tx.accessor();                       \
    }
ROWS(Account, accounts)
ROWS(AccessKey, access_keys)
ROWS(Image, images)
ROWS(Snapshot, snapshots)
ROWS(Volume, volumes)
ROWS(Instance, instances)
ROWS(ReplaceRootTask, replace_root_tasks)
ROWS(KeyPair, key_pairs)
ROWS(LaunchTemplate, launch_templates)
ROWS(LaunchTemplateVersion, launch_template_versions)
ROWS(Role, roles)
ROWS(InstanceProfile, instance_profiles)
ROWS(RegionSettings, region_settings)
ROWS(User, users)
ROWS(ImageUsageReport, usage_reports)
ROWS(StoredParameter, parameters)
ROWS(Vpc, vpcs)
ROWS(Subnet, subnets)
ROWS(SecurityGroup, security_groups)
ROWS(Content, contents)
ROWS(LayerRecord, layers)
ROWS(IdempotencyToken, tokens)
#undef ROWS

template <class T>
typename Entity<T>::Id id_of_value(const T& value) {
    if constexpr (requires { value.id(); }) {
        return value.id();
    } else {
        return value.id;
    }
}

template <class T>
Status insert(Store& store, const T& value) {
    return store.run([&](Transaction& tx) { return rows<T>(tx).insert(value); });
}

inline std::vector<std::string> ids(Store& store, const ImageQuery& query) {
    auto images = store.read([&](Transaction& tx) { return tx.images().list(query); });
    REQUIRE_MESSAGE(images.has_value(), (images ? "" : images.error().to_string()));
    std::vector<std::string> out;
    for (const Image& image : *images) {
        out.push_back(image.id.str());
    }
    return out;
}

using Ids = std::vector<std::string>;

}  // namespace kiln::catalog::testing
