// SPDX-License-Identifier: Apache-2.0
// Golden XML: GOLDEN_ACCEPT=1 rewrites the files instead of comparing.
#include "api/codec/xml_writer.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "api/codec/text.h"
#include "api/generated/ec2/describe_images.h"
#include "api/generated/ec2/describe_instances.h"
#include "api/generated/operations.h"
#include "api/generated/sts/get_caller_identity.h"
#include "util/tests/golden.h"

using namespace kiln;
using namespace kiln::api;

namespace {

constexpr std::string_view kRequestId = "59dbff89-35bd-4eac-99ed-be587EXAMPLE";

void check_golden(const std::string& name, const std::string& xml) {
    kiln::testing::check_golden(std::string(KILN_GOLDEN_DIR) + "/" + name, xml + "\n");
}

}  // namespace

TEST_CASE(
    "WIRE-5: a response has the operation's root, the request id first, lists of items, absent "
    "members left out") {
    ec2::DescribeImagesResult result;
    auto& image = result.images.emplace_back();
    image.image_id = "ami-0123456789abcdef0";
    image.state = "available";
    image.public_ = false;
    image.description = "";
    image.name = "a <b> & \"c\" 'd'";
    auto& mapping = image.block_device_mappings.emplace_back();
    mapping.device_name = "/dev/xvda";
    mapping.ebs.emplace().volume_size = 8;
    mapping.ebs->delete_on_termination = true;
    image.tags.push_back({.key = "Name", .value = "gr\xC3\xBCn"});
    image.state_reason.emplace();
    image.product_codes.give();
    image.image_watermarks.emplace_back().watermark_creation_time = UnixMillis{1748781296789};
    check_golden("describe_images.xml",
                 write_response(ec2::ops::DescribeImages::info(), &result, kRequestId));
}

TEST_CASE("WIRE-5: an empty list that was given is an empty element") {
    ec2::DescribeInstancesResult result;
    result.reservations.give();
    check_golden("describe_instances_empty.xml",
                 write_response(ec2::ops::DescribeInstances::info(), &result, kRequestId));
}

TEST_CASE("the query protocol wraps the result and puts the request id behind it") {
    sts::GetCallerIdentityResponse result;
    result.account = "123456789012";
    result.arn = "arn:aws:iam::123456789012:root";
    result.user_id = "123456789012";
    check_golden("get_caller_identity.xml",
                 write_response(sts::ops::GetCallerIdentity::info(), &result, kRequestId));
}

TEST_CASE("WIRE-5: an operation without output returns true") {
    const OperationInfo operation{&kEc2Service, "CreateTags", 1, "tags", nullptr, nullptr};
    check_golden("return_true.xml", write_response(operation, nullptr, kRequestId));
}

TEST_CASE("WIRE-6: each protocol has its own error envelope") {
    const WireError error{"InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist", 400};
    check_golden("error_ec2.xml", write_error(kEc2Service, error, kRequestId));
    check_golden("error_sts.xml", write_error(kStsService, error, kRequestId));
    constexpr ServiceInfo kRest{"s3", Protocol::rest_xml, "", "", {}};
    CHECK(
        write_error(kRest, {"A", "b<c", 400}, kRequestId) ==
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>A</Code><Message>b&lt;c</Message>"
        "<RequestId>" +
            std::string(kRequestId) + "</RequestId></Error>");
    CHECK(write_error(kStsService, {"InternalFailure", "", 500}, kRequestId)
              .find("<Type>Receiver</Type>") != std::string::npos);
}

TEST_CASE("text that XML cannot carry becomes the replacement character") {
    std::string out;
    append_xml_text(out, std::string_view("a\0b\x1b\xff\r\n\t<&>\"\xF0\x9F\x94\xA5", 16));
    CHECK(out ==
          "a\xEF\xBF\xBD"
          "b\xEF\xBF\xBD\xEF\xBF\xBD&#13;\n\t&lt;&amp;&gt;&quot;\xF0\x9F\x94\xA5");
}
