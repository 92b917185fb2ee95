// SPDX-License-Identifier: Apache-2.0
// Policies and calls for tests. Thread model: pure functions.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "control/authorization.h"
#include "control/policy.h"

namespace kiln::control::testing {

inline Policy read_policy(const std::string& document) {
    auto parsed = parse_identity_policy(document);
    REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
    return std::move(*parsed);
}

inline std::string policy_document(const std::string& statements,
                                   const std::string& version = "2012-10-17") {
    return R"({"Version":")" + version + R"(","Statement":[)" + statements + "]}";
}

// Allows everything under this condition: {"StringEquals":{...}} without its braces.
inline std::string document_when(const std::string& condition) {
    return policy_document(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{)" +
                           condition + "}}");
}

// What is wrong with a document.
inline std::string policy_refusal(const std::string& document) {
    const auto parsed = parse_identity_policy(document);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().api_code() == "MalformedPolicyDocument");
    return parsed.error().message();
}

inline PolicyFacts call_of(const std::string& region = "us-east-1",
                           const std::string& account = "111111111111") {
    PolicyFacts facts;
    facts.add("aws:RequestedRegion", region);
    facts.add("ec2:Region", region);
    facts.add("aws:PrincipalAccount", account);
    return facts;
}

// Whether the policy allows ec2:StopInstances to a call with these facts, on this.
inline bool allows(const Policy& policy, const PolicyFacts& call,
                   const PolicyResource* resource = nullptr) {
    return decide({&policy, 1}, {"ec2:StopInstances", call, resource}) == PolicyDecision::allowed;
}

inline bool holds_when(const std::string& condition, const PolicyFacts& call,
                       const PolicyResource* resource = nullptr) {
    return allows(read_policy(document_when(condition)), call, resource);
}

}  // namespace kiln::control::testing
