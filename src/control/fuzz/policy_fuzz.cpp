// SPDX-License-Identifier: Apache-2.0
// Fuzz target: policy documents. A refusal says what is wrong; what is accepted comes to a
// decision, and a Deny of everything beside it always wins. Thread model: pure function.
#include "control/policy.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    using namespace kiln::control;
    const std::string_view text = as_text({data, size});
    const PolicyRequest request{"ec2:RunInstances", "us-east-1", "111111111111"};
    if (const auto trust = parse_trust_policy(text)) {
        (void)trusts_service(*trust, "ec2.amazonaws.com");
        PolicyStatement nobody;
        nobody.actions = {"*"};
        nobody.anybody = true;
        Policy denied = *trust;
        denied.push_back(nobody);
        INVARIANT(trust_of(denied, request, "session") == Trust::denied);
        (void)trust_of(*trust, request, "session");
    } else {
        INVARIANT(trust.error().api_code() == "MalformedPolicyDocument");
    }
    const auto policy = parse_identity_policy(text);
    if (!policy) {
        INVARIANT(policy.error().api_code() == "MalformedPolicyDocument");
        return 0;
    }
    INVARIANT(!policy->empty());
    PolicyStatement never;
    never.actions = {"*"};
    INVARIANT(decide(std::vector<Policy>{*policy, {never}}, request) == PolicyDecision::denied);
    INVARIANT(decide(std::vector<Policy>{}, request) == PolicyDecision::not_allowed);
    (void)decide(std::vector<Policy>{*policy}, request);
    return 0;
}
