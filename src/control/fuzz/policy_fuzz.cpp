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
    PolicyRequest request{"ec2:RunInstances"};
    request.call.add("aws:RequestedRegion", "us-east-1");
    request.call.add("aws:PrincipalAccount", "111111111111");
    request.call.add("aws:username", "*");
    request.call.add("aws:PrincipalTag/team", "a:?");
    request.call.add("aws:SourceIp", "10.0.0.1");
    add_time(request.call, UnixMillis{1'800'000'000'000});
    if (const auto trust = parse_trust_policy(text)) {
        (void)trusts_service(*trust, "ec2.amazonaws.com", request.call);
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
    // The same on something: a Deny of everything wins there as well, and what is refused whatever
    // a call touches is refused on this.
    PolicyResource resource;
    resource.arns = {"arn:aws:ec2:us-east-1::image/ami-1",
                     "arn:aws:ec2:us-east-1:111111111111:image/ami-1"};
    resource.facts.add("aws:ResourceTag/team", "a");
    resource.facts.add("ec2:VolumeSize", "8");
    PolicyRequest on = request;
    on.resource = &resource;
    INVARIANT(decide(std::vector<Policy>{*policy, {never}}, on) == PolicyDecision::denied);
    PolicyRequest later = request;
    later.view = ResourceView::later;
    if (decide(std::vector<Policy>{*policy}, on) == PolicyDecision::allowed) {
        INVARIANT(decide(std::vector<Policy>{*policy}, later) == PolicyDecision::allowed);
    }
    PolicyRequest unknown = request;
    unknown.view = ResourceView::unknown;
    if (decide(std::vector<Policy>{*policy}, unknown) == PolicyDecision::allowed) {
        INVARIANT(decide(std::vector<Policy>{*policy}, on) == PolicyDecision::allowed);
    }
    return 0;
}
