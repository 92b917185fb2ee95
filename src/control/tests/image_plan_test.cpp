// SPDX-License-Identifier: Apache-2.0
// What an image of an instance says of the instance's volumes.
#include "control/image_plan.h"

#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

model::Volume attached(const model::InstanceId& instance, const char* device,
                       model::VolumeType type) {
    model::Volume volume;
    volume.size_gib = 8;
    volume.type = type;
    volume.attachments = {{instance, device, model::AttachmentState::attached, true, UnixMillis{}}};
    return volume;
}

}  // namespace

TEST_CASE("VOL-20: the mapping of an image tells the figures of a gp3 volume that has none") {
    ImageWorld world;
    InstanceView view;
    view.instance.id = model::InstanceId("i-0123456789abcdef0");
    view.instance.root_device_name = "/dev/xvda";
    const model::InstanceId& id = view.instance.id;
    model::Volume fast = attached(id, "/dev/sdf", model::VolumeType::gp3);
    fast.iops = 4000;
    view.volumes = {attached(id, "/dev/xvda", model::VolumeType::gp3), fast,
                    attached(id, "/dev/sdg", model::VolumeType::gp2)};
    const auto plan = world.store->read(
        [&](catalog::Transaction& tx) { return plan_image(tx, kAlice, view, {}); });
    REQUIRE(plan.has_value());
    REQUIRE(plan->mappings.size() == 3);
    const auto figures = [&](std::size_t entry) {
        const model::EbsBlockDevice& ebs = *plan->mappings[entry].ebs;
        return std::pair(ebs.iops.value_or(0), ebs.throughput_mibps.value_or(0));
    };
    CHECK(figures(0) == std::pair(3000U, 125U));
    CHECK(figures(1) == std::pair(4000U, 125U));
    CHECK(figures(2) == std::pair(0U, 0U));
}
