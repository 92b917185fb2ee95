// SPDX-License-Identifier: Apache-2.0
// The handlers of the EC2 operations: each decodes its request into control's input, calls control,
// and encodes what comes back. No business rule is here. Thread model: registered once; the
// registered handlers are thread-safe.
#pragma once

#include "api/codec/registry.h"
#include "api/services.h"

namespace kiln::api {

void add_image_handlers(Registry& registry, Services services);
void add_image_attribute_handlers(Registry& registry, Services services);
void add_create_image_handler(Registry& registry, Services services);
void add_copy_image_handler(Registry& registry, Services services);
void add_instance_handlers(Registry& registry, Services services);
void add_instance_power_handlers(Registry& registry, Services services);
void add_instance_attribute_handlers(Registry& registry, Services services);
void add_instance_settings_handlers(Registry& registry, Services services);
void add_profile_association_handlers(Registry& registry, Services services);
void add_replace_root_handlers(Registry& registry, Services services);
void add_volume_handlers(Registry& registry, Services services);
void add_volume_modification_handlers(Registry& registry, Services services);
void add_volume_status_handlers(Registry& registry, Services services);
void add_instance_type_handlers(Registry& registry, Services services);
void add_type_requirement_handlers(Registry& registry);
void add_instance_topology_handlers(Registry& registry, Services services);
void add_network_handlers(Registry& registry, Services services);
void add_network_change_handlers(Registry& registry, Services services);
void add_vpc_part_handlers(Registry& registry, Services services);
void add_security_group_handlers(Registry& registry, Services services);
void add_region_handlers(Registry& registry, Services services);
void add_tag_handlers(Registry& registry, Services services);
void add_key_pair_handlers(Registry& registry, Services services);
void add_launch_template_handlers(Registry& registry, Services services);
void add_launch_template_data_handler(Registry& registry, Services services);
void add_snapshot_handlers(Registry& registry, Services services);
void add_snapshot_sharing_handlers(Registry& registry, Services services);
void add_fast_restore_handlers(Registry& registry, Services services);
void add_fast_launch_handlers(Registry& registry, Services services);
void add_public_access_handlers(Registry& registry, Services services);
void add_image_relation_handlers(Registry& registry, Services services);
void add_image_usage_handlers(Registry& registry, Services services);

}  // namespace kiln::api
