// SPDX-License-Identifier: Apache-2.0
// Values for tests: small ones with an id and little else, and full ones in which no field has its
// default.
#pragma once

#include <string>

#include "catalog/queries.h"

namespace kiln::catalog::testing {

inline std::string id_of(const std::string& prefix, unsigned number) {
    std::string digits = std::to_string(number);
    return prefix + "-" + std::string(17 - digits.size(), '0') + digits;
}

inline const model::AccountId kAlice("111111111111");
inline const model::AccountId kBob("222222222222");
inline const model::AccountId kCarol("333333333333");

// Created at second `number`, named "image-<number>".
model::Image small_image(unsigned number, const model::AccountId& owner = kAlice);
model::Job small_job(unsigned number, const std::string& kind = "kind");

model::Account full_account();
model::AccessKey full_access_key();
model::Image full_image();
model::Snapshot full_snapshot();
model::Volume full_volume();
model::Instance full_instance();
model::ReplaceRootTask full_replace_root_task();
model::KeyPair full_key_pair();
model::LaunchTemplate full_launch_template();
model::LaunchTemplateVersion full_launch_template_version();
model::Role full_role();
model::RegionSettings full_region_settings();
model::User full_user();
model::ImageUsageReport full_usage_report();
model::StoredParameter full_parameter();
model::InstanceProfile full_instance_profile();
model::Vpc full_vpc();
model::Subnet full_subnet();
model::SecurityGroup full_security_group();
model::Content full_content();
model::LayerRecord full_layer();
model::IdempotencyToken full_token();
model::Job full_job();

}  // namespace kiln::catalog::testing
