// SPDX-License-Identifier: Apache-2.0
// Dates, numbers of seconds and addresses in conditions (IAM-8), as IAM's documentation has them.
#include "control/policy_keys.h"
#include "control/tests/policy_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr UnixMillis kNow{1'593'604'800'000};  // 2020-07-01T12:00:00Z

PolicyFacts at(UnixMillis now, const std::string& address = "203.0.113.7") {
    PolicyFacts call = call_of();
    add_time(call, now);
    call.add("aws:SourceIp", address);
    return call;
}

std::string value_refusal(const std::string& condition) {
    return policy_refusal(document_when(condition));
}

}  // namespace

TEST_CASE("IAM-8: dates in the forms that IAM takes") {
    CHECK(policy_time("2020-07-01T12:00:00Z") == kNow.value);
    CHECK(policy_time("2020-07-01T12:00Z") == kNow.value);
    CHECK(policy_time("2020-07-01T14:00:00.000+02:00") == kNow.value);
    CHECK(policy_time("2020-07-01T14:00+02:00") == kNow.value);
    CHECK(policy_time("2020-07-01") == kNow.value - 43'200'000);
    CHECK(policy_time("2020-07") == kNow.value - 43'200'000);
    CHECK(policy_time("1593604800") == kNow.value);
    // A number of four digits may be a year, one of eight a date, one of thirteen milliseconds.
    for (const char* text :
         {"2020", "20200701", "1593604800000", "", "-1593604800", "1593604800.5", "2020-7-1",
          "2020-13", "2020-02-30", "2020-07-01T12", "2020-07-01T12:00", "2020-07-01 12:00:00",
          "2020-07-01T12:00:00", "20200701T120000Z", "tomorrow", "2020-07-*"}) {
        CAPTURE(text);
        CHECK_FALSE(policy_time(text).has_value());
    }
}

TEST_CASE("IAM-8: what is no finite number is compared with nothing") {
    CHECK(parse_identity_policy(document_when(R"("NumericLessThan":{"ec2:VolumeSize":"1.5"})")));
    for (const char* text : {"nan", "-nan", "inf", "infinity", "-inf", "1e999", "0x10", "8 "}) {
        CAPTURE(text);
        const std::string refusal =
            value_refusal(std::string(R"("NumericLessThan":{"ec2:VolumeSize":")") + text + R"("})");
        CHECK(refusal.find("is no number") != refusal.npos);
    }
}

TEST_CASE("IAM-8: operators of dates, over the time of the call and that of its keys") {
    struct Case {
        const char* condition;
        bool holds;
    };
    for (const Case& c : {
             // The example of IAM's documentation: a time with a beginning and an end.
             Case{R"("DateGreaterThan":{"aws:CurrentTime":"2020-04-01T00:00:00Z"},)"
                  R"("DateLessThan":{"aws:CurrentTime":"2020-06-30T23:59:59Z"})",
                  false},
             Case{R"("DateGreaterThan":{"aws:CurrentTime":"2020-04-01T00:00:00Z"},)"
                  R"("DateLessThan":{"aws:CurrentTime":"2020-07-30T23:59:59Z"})",
                  true},
             Case{R"("DateEquals":{"aws:CurrentTime":"2020-07-01T12:00:00Z"})", true},
             Case{R"("DateNotEquals":{"aws:CurrentTime":"2020-07-01T12:00:00Z"})", false},
             Case{R"("DateNotEquals":{"aws:CurrentTime":"2020-07-01"})", true},
             Case{R"("DateLessThanEquals":{"aws:CurrentTime":1593604800})", true},
             Case{R"("DateLessThan":{"aws:CurrentTime":"1593604800"})", false},
             Case{R"("DateGreaterThanEquals":{"aws:EpochTime":"2020-07-01T12:00Z"})", true},
             Case{R"("DateGreaterThan":{"aws:EpochTime":"2020-07-01T12:00Z"})", false},
             Case{R"("NumericLessThan":{"aws:EpochTime":"1593604801"})", true},
             Case{R"("NumericGreaterThan":{"aws:EpochTime":1593604800})", false},
             Case{R"("StringLike":{"aws:CurrentTime":"2020-07-01T*"})", true},
             Case{R"("DateGreaterThan":{"aws:CurrentTime":["2021-01","2020-01"]})", true},
             // Keys that do not end have no time at which they were made.
             Case{R"("DateGreaterThan":{"aws:TokenIssueTime":"2020-01"})", false},
             Case{R"("DateLessThan":{"aws:TokenIssueTime":"2030-01"})", false},
             Case{R"("DateLessThanIfExists":{"aws:TokenIssueTime":"2020-01"})", true},
             Case{R"("DateNotEquals":{"aws:TokenIssueTime":"2020-01"})", true},
             Case{R"("Null":{"aws:TokenIssueTime":"true"})", true},
             Case{R"("ForAnyValue:DateLessThan":{"aws:CurrentTime":"2021-01"})", true},
         }) {
        CAPTURE(c.condition);
        CHECK(holds_when(c.condition, at(kNow)) == c.holds);
    }
    PolicyFacts session = at(kNow);
    session.add("aws:TokenIssueTime", "2020-07-01T11:00:00Z");
    CHECK(holds_when(R"("DateGreaterThan":{"aws:TokenIssueTime":"2020-07-01"})", session));
    CHECK_FALSE(holds_when(R"("DateLessThan":{"aws:TokenIssueTime":"2020-07-01"})", session));
    CHECK(value_refusal(R"("DateLessThan":{"aws:CurrentTime":"2020"})").find("is no date") !=
          std::string::npos);
    CHECK(value_refusal(R"("DateLessThan":{"aws:CurrentTime":"${aws:CurrentTime}"})") != "");
    CHECK(value_refusal(R"("DateLessThan":{"aws:CurrentTime":2020.5})") != "");
    CHECK(value_refusal(R"("NumericLessThan":{"aws:CurrentTime":"1593604801"})") != "");
    CHECK(value_refusal(R"("DateLike":{"aws:CurrentTime":"2020-01"})") != "");
}

TEST_CASE("IAM-8: operators of addresses") {
    struct Case {
        const char* range;
        const char* address;
        bool in;
    };
    for (const Case& c : {
             Case{"203.0.113.0/24", "203.0.113.7", true},
             Case{"203.0.113.0/24", "203.0.114.7", false},
             Case{"203.0.113.7", "203.0.113.7", true},
             Case{"203.0.113.7/32", "203.0.113.8", false},
             Case{"203.0.113.7/24", "203.0.113.8", true},  // bits behind the prefix do not count
             Case{"0.0.0.0/0", "198.51.100.1", true},
             Case{"0.0.0.0/0", "2001:db8::1", false},
             Case{"::/0", "203.0.113.7", false},
             Case{"::/0", "2001:db8::1", true},
             Case{"2001:DB8:1234:5678::/64", "2001:db8:1234:5678::9", true},
             Case{"2001:DB8:1234:5678::/64", "2001:db8:1234:5679::9", false},
             Case{"2001:db8::1", "2001:db8:0:0::1", true},
             Case{"2001:db8::1", "2001:db8::2", false},
         }) {
        CAPTURE(c.range);
        CAPTURE(c.address);
        const std::string of = std::string(R"(Address":{"aws:SourceIp":")") + c.range + R"("})";
        CHECK(holds_when(R"("Ip)" + of, at(kNow, c.address)) == c.in);
        CHECK(holds_when(R"("NotIp)" + of, at(kNow, c.address)) != c.in);
    }
    // A call without an address is in no range.
    CHECK_FALSE(holds_when(R"("IpAddress":{"aws:SourceIp":"0.0.0.0/0"})", call_of()));
    CHECK(holds_when(R"("NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"})", call_of()));
    CHECK(holds_when(R"("IpAddressIfExists":{"aws:SourceIp":"10.0.0.0/8"})", call_of()));
    // The example of IAM's documentation: what comes from neither range is denied.
    const Policy outside = read_policy(policy_document(
        R"({"Effect":"Allow","Action":"*","Resource":"*"},)"
        R"({"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":)"
        R"({"aws:SourceIp":["192.0.2.0/24","203.0.113.0/24"]}}})"));
    CHECK(allows(outside, at(kNow, "203.0.113.7")));
    CHECK_FALSE(allows(outside, at(kNow, "198.51.100.7")));
    CHECK_FALSE(allows(outside, at(kNow, "2001:db8::1")));
    for (const char* range : {"10.0.0.0/33", "10.0.0", "10.0.0.0/", "010.0.0.1", "::ffff:10.0.0.1",
                              "::ffff:0:0/96", "2001:db8::/129", "10.0.0.*", "", "localhost"}) {
        CAPTURE(range);
        CHECK_FALSE(is_address_range(range));
        CHECK(value_refusal(std::string(R"("IpAddress":{"aws:SourceIp":")") + range + R"("})") !=
              "");
    }
    CHECK(value_refusal(R"("StringEquals":{"aws:SourceIp":"203.0.113.7"})") ==
          "The condition operator StringEquals cannot be asked of the key aws:SourceIp.");
    CHECK(value_refusal(R"("IpAddress":{"aws:RequestedRegion":"203.0.113.7"})") != "");
}
