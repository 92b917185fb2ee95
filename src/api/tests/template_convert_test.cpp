// SPDX-License-Identifier: Apache-2.0
// Launch template data between the wire and what is kept of it.
#include "api/ec2/template_convert.h"

#include <doctest/doctest.h>

#include "api/codec/query_parser.h"
#include "api/generated/ec2/create_launch_template.h"

using namespace kiln;
using namespace kiln::api;
using namespace kiln::api::ec2;

namespace {

RequestLaunchTemplateData decoded(const std::string& parameters) {
    const auto params = QueryParams::parse("LaunchTemplateName=web&" + parameters, "");
    REQUIRE(params.has_value());
    CreateLaunchTemplateRequest request;
    const Status read = parse_request(ops::CreateLaunchTemplate::info(), *params, &request);
    REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().to_string()));
    return request.launch_template_data.value_or(RequestLaunchTemplateData());
}

}  // namespace

TEST_CASE("LT-5: data is kept as it was given, typed, and in one form") {
    const std::string text = data_text(
        decoded("LaunchTemplateData.KeyName=k&LaunchTemplateData.ImageId=ami-1&"
                "LaunchTemplateData.EbsOptimized=TRUE&LaunchTemplateData.Monitoring.Enabled=false&"
                "LaunchTemplateData.BlockDeviceMapping.2.DeviceName=/dev/sdg&"
                "LaunchTemplateData.BlockDeviceMapping.2.NoDevice=&"
                "LaunchTemplateData.BlockDeviceMapping.1.DeviceName=/dev/sdf&"
                "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=8&"
                "LaunchTemplateData.SecurityGroupId.1=sg-1&LaunchTemplateData.RamDiskId=ari-1"));
    CHECK(
        text ==
        R"({"EbsOptimized":true,"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":8}},{"DeviceName":"/dev/sdg","NoDevice":""}],)"
        R"("ImageId":"ami-1","KeyName":"k","Monitoring":{"Enabled":false},"RamDiskId":"ari-1","SecurityGroupIds":["sg-1"]})");
    const auto shown = data_of(text);
    REQUIRE(shown.has_value());
    CHECK(shown->block_device_mappings.size() == 2);
    CHECK(shown->block_device_mappings[1].no_device == "");
    CHECK(shown->ebs_optimized.value_or(false));
    CHECK_FALSE(shown->disable_api_termination.given());
}

TEST_CASE("LT-5: an empty value that says nothing is left out") {
    CHECK(data_text(decoded("LaunchTemplateData.EbsOptimized=&LaunchTemplateData.KeyName=")) ==
          R"({"KeyName":""})");
    CHECK(data_text(decoded("LaunchTemplateData.InstanceInitiatedShutdownBehavior=&"
                            "LaunchTemplateData.KeyName=k")) == R"({"KeyName":"k"})");
}

TEST_CASE("text that is no version's data is data loss") {
    for (const char* bad :
         {"", "{", "[]", "3", R"({"KeyName":3})", R"({"Colour":"red"})",
          R"({"EbsOptimized":"true"})", R"({"InstanceInitiatedShutdownBehavior":"sleep"})",
          R"({"BlockDeviceMappings":[null]})"}) {
        CAPTURE(bad);
        const auto read = data_of(bad);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code() == Code::data_loss);
        CHECK_FALSE(read.error().has_api_code());
        CHECK(merge_with_template({}, bad).error().code() == Code::data_loss);
    }
}

TEST_CASE("LT-6: a request is filled up from a template") {
    RunInstancesRequest request;
    request.min_count = 1;
    request.max_count = 2;
    request.instance_type = "t3.nano";
    request.disable_api_stop = false;
    const auto merged = merge_with_template(
        request,
        R"({"ImageId":"ami-1","InstanceType":"t3.micro","DisableApiStop":true,"DisableApiTermination":true,"RamDiskId":"ari-1",)"
        R"("BlockDeviceMappings":[{"DeviceName":"/dev/sdf","NoDevice":""}],"NetworkInterfaces":[{"DeviceIndex":0,"Groups":["sg-1"]}]})");
    REQUIRE_MESSAGE(merged.has_value(), (merged ? "" : merged.error().to_string()));
    CHECK(*merged->min_count == 1);
    CHECK(*merged->max_count == 2);
    CHECK(merged->image_id == "ami-1");
    CHECK(merged->instance_type == "t3.nano");
    CHECK(merged->ramdisk_id == "ari-1");
    CHECK(merged->disable_api_stop.has_value());
    CHECK_FALSE(*merged->disable_api_stop);
    CHECK(*merged->disable_api_termination);
    CHECK(merged->block_device_mappings[0].no_device == "");
    CHECK(merged->network_interfaces[0].groups.items() == std::vector<std::string>{"sg-1"});
}
