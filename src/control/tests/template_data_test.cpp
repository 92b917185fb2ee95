// SPDX-License-Identifier: Apache-2.0
// How the data of launch templates is combined: pure rules over texts.
#include "control/template_data.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;

namespace {

std::string overlaid(const std::string& source, const std::string& given) {
    const auto text = overlay_template(source, given);
    return text ? *text : text.error().to_string();
}
std::string merged(const std::string& from_template, const std::string& request) {
    const auto text = merge_launch(from_template, request);
    return text ? *text : text.error().to_string();
}
std::string refusal(const std::string& data) {
    const Status checked = check_template_data(data);
    return checked ? "" : checked.error().api_code();
}

}  // namespace

TEST_CASE("LT-2: a member that is given replaces the source's whole member") {
    CHECK(overlaid(R"({"ImageId":"ami-1","KeyName":"k"})", R"({"ImageId":"ami-2"})") ==
          R"({"ImageId":"ami-2","KeyName":"k"})");
    CHECK(overlaid(R"({"Placement":{"AvailabilityZone":"a","Tenancy":"default"}})",
                   R"({"Placement":{"AvailabilityZone":"b"}})") ==
          R"({"Placement":{"AvailabilityZone":"b"}})");
    CHECK(overlaid(R"({"SecurityGroupIds":["sg-1","sg-2"]})", R"({"SecurityGroupIds":["sg-3"]})") ==
          R"({"SecurityGroupIds":["sg-3"]})");
    CHECK(overlaid(R"({"InstanceType":"t3.micro"})",
                   R"({"InstanceRequirements":{"VCpuCount":{"Min":1}}})") ==
          R"({"InstanceRequirements":{"VCpuCount":{"Min":1}}})");
    CHECK(overlaid(R"({"EbsOptimized":true})", R"({"EbsOptimized":false})") ==
          R"({"EbsOptimized":false})");
}

TEST_CASE("LT-2: the source's mappings lose their snapshots, given ones keep theirs") {
    const std::string source =
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"SnapshotId":"snap-1","VolumeSize":8}}]})";
    CHECK(
        overlaid(source, R"({"KeyName":"k"})") ==
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":8}}],"KeyName":"k"})");
    CHECK(overlaid(source, source) == source);
}

TEST_CASE("LT-6: the request's parameters win, the template's others stay") {
    CHECK(merged(R"({"ImageId":"ami-1","InstanceType":"t3.micro","KeyName":"k"})",
                 R"({"InstanceType":"t3.nano","MinCount":1})") ==
          R"({"ImageId":"ami-1","InstanceType":"t3.nano","KeyName":"k","MinCount":1})");
    CHECK(merged(R"({"DisableApiTermination":true})", R"({"DisableApiTermination":false})") ==
          R"({"DisableApiTermination":false})");
    CHECK(merged(R"({"MetadataOptions":{"HttpTokens":"required","HttpPutResponseHopLimit":3}})",
                 R"({"MetadataOptions":{"HttpTokens":"optional"}})") ==
          R"({"MetadataOptions":{"HttpTokens":"optional"}})");
    CHECK(merged(R"({"RamDiskId":"ari-1","ElasticGpuSpecifications":[]})", "{}") ==
          R"({"RamdiskId":"ari-1","ElasticGpuSpecification":[]})");
}

TEST_CASE("LT-6: groups by id and by name are one parameter") {
    CHECK(merged(R"({"SecurityGroups":["web"],"SecurityGroupIds":["sg-1"],"KeyName":"k"})",
                 R"({"SecurityGroupIds":["sg-2"]})") ==
          R"({"KeyName":"k","SecurityGroupIds":["sg-2"]})");
    CHECK(merged(R"({"SecurityGroupIds":["sg-1"]})", R"({"SecurityGroups":["web"]})") ==
          R"({"SecurityGroups":["web"]})");
}

TEST_CASE("LT-6 BDM-9: mappings are merged by device and by field") {
    const std::string under =
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":8,"VolumeType":"gp3","Iops":4000}},{"DeviceName":"/dev/sdg","Ebs":{"VolumeSize":1}}]})";
    const auto with = [&](const std::string& entry) {
        return merged(under, R"({"BlockDeviceMappings":[)" + entry + "]}");
    };
    const std::string second = R"({"DeviceName":"/dev/sdg","Ebs":{"VolumeSize":1}}]})";
    CHECK(
        with(R"({"DeviceName":"sdf","Ebs":{"VolumeSize":9}})") ==
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":9,"VolumeType":"gp3","Iops":4000}},)" +
            second);
    // Figures of the old type do not go to the new one.
    CHECK(
        with(R"({"DeviceName":"/dev/sdf","Ebs":{"VolumeType":"gp2"}})") ==
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":8,"VolumeType":"gp2"}},)" +
            second);
    CHECK(with(R"({"DeviceName":"/dev/sdf","NoDevice":""})") ==
          R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","NoDevice":""},)" + second);
    CHECK(with(R"({"DeviceName":"/dev/sdh","Ebs":{"VolumeSize":2}})") ==
          under.substr(0, under.size() - 2) +
              R"(,{"DeviceName":"/dev/sdh","Ebs":{"VolumeSize":2}}]})");
    CHECK(merged(R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","NoDevice":""}]})",
                 R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":2}}]})") ==
          R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":2}}]})");
}

TEST_CASE("LT-6: a device the request itself names twice stays named twice") {
    CHECK(
        merged(R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":1}}]})",
               R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":2}},)"
               R"({"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":3}}]})") ==
        R"({"BlockDeviceMappings":[{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":2}},{"DeviceName":"/dev/sdf","Ebs":{"VolumeSize":3}}]})");
}

TEST_CASE("LT-6: tags are merged by type and key") {
    const std::string under =
        R"({"TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}]})";
    CHECK(
        merged(
            under,
            R"({"TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"a","Value":"9"}]},)"
            R"({"ResourceType":"volume","Tags":[{"Key":"a","Value":"3"}]}]})") ==
        R"({"TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"b","Value":"2"},{"Key":"a","Value":"9"}]},)"
        R"({"ResourceType":"volume","Tags":[{"Key":"a","Value":"3"}]}]})");
}

TEST_CASE("LT-6: requirements are refused by name, unless the request has a type") {
    const std::string data = R"({"InstanceRequirements":{"VCpuCount":{"Min":1}}})";
    const auto refused = merge_launch(data, "{}");
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().api_code() == "UnsupportedOperation");
    CHECK(refused.error().message().find("InstanceRequirements") != std::string::npos);
    CHECK(merged(data, R"({"InstanceType":"t3.nano"})") == R"({"InstanceType":"t3.nano"})");
}

TEST_CASE("LT-5: what is refused when a version is made") {
    CHECK(refusal(R"({"ImageId":"ami-nothing","KeyName":"nobody's"})").empty());
    CHECK(refusal(R"({"UserData":"aGVsbG8="})").empty());
    CHECK(refusal(R"({"UserData":"not base64!"})") == "InvalidUserData.Malformed");
    CHECK(refusal(R"({"UserData":")" + std::string(24'000, 'A') + R"("})") ==
          "InvalidParameterValue");
    CHECK(refusal(R"({"InstanceType":"t3.nano","InstanceRequirements":{}})") ==
          "InvalidParameterCombination");
    CHECK(refusal(R"({"TagSpecifications":[{"ResourceType":"image","Tags":[{"Key":"a"}]}]})") ==
          "InvalidParameterValue");
    CHECK(
        refusal(R"({"TagSpecifications":[{"ResourceType":"volume","Tags":[{"Key":"aws:a"}]}]})") ==
        "InvalidParameterValue");
    CHECK(refusal(R"({"TagSpecifications":[{"ResourceType":"volume","Tags":[{"Key":"a"}]}]})")
              .empty());
}

TEST_CASE("data that no decoder wrote is data loss") {
    for (const char* bad :
         {"", "[]", "{", R"({"BlockDeviceMappings":{}})", R"({"BlockDeviceMappings":[1]})",
          R"({"BlockDeviceMappings":[{"Ebs":3}]})", R"({"TagSpecifications":[{"Tags":[1]}]})"}) {
        CAPTURE(bad);
        for (const auto& outcome : {overlay_template(bad, "{}"), overlay_template("{}", bad),
                                    merge_launch(bad, "{}"), merge_launch("{}", bad)}) {
            REQUIRE_FALSE(outcome.has_value());
            CHECK(outcome.error().code() == Code::data_loss);
        }
        CHECK(check_template_data(bad).error().code() == Code::data_loss);
    }
}

TEST_CASE("LT-9: filters see the values at a path, through lists") {
    const std::string data =
        R"({"EbsOptimized":true,"MetadataOptions":{"HttpTokens":"required"},"NetworkInterfaces":[{"NetworkCardIndex":0},{},{"NetworkCardIndex":1}]})";
    using Values = std::vector<std::string>;
    CHECK(template_values(data, {"EbsOptimized"}) == Values{"true"});
    CHECK(template_values(data, {"MetadataOptions", "HttpTokens"}) == Values{"required"});
    CHECK(template_values(data, {"NetworkInterfaces", "NetworkCardIndex"}) == Values{"0", "1"});
    CHECK(template_values(data, {"KeyName"}).empty());
    CHECK(template_values(data, {"EbsOptimized", "Nothing"}).empty());
}
