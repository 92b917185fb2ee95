// SPDX-License-Identifier: Apache-2.0
// Conditions of policies (IAM-8): which operators there are, which keys they may be asked of
// (control/policy_keys.h), and whether a condition holds for what is known of a call.
//
// What a call does not have equals nothing: operators that say "not" hold for it, and those that
// end in IfExists. So it is with a value whose variable the call does not have.
//
// Errors: those of make_condition() and of the checks say what is wrong, as the message of
// MalformedPolicyDocument. Thread model: plain values, pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/policy_facts.h"
#include "control/policy_text.h"
#include "util/result.h"

namespace kiln::control {

enum class ConditionTest { text, arn, number, date, boolean, address, absent };
// Of numbers and dates.
enum class ValueOrder { equal, less, less_or_equal, greater, greater_or_equal };
// ForAnyValue and ForAllValues: how many of the values of a key with several must pass.
enum class Quantifier { none, any, all };

struct PolicyCondition {
    std::string key;  // in lower case: "aws:resourcetag/team"
    ConditionTest test = ConditionTest::text;
    bool negated = false;      // StringNot..., NotIpAddress
    bool ignore_case = false;  // String...IgnoreCase
    bool wildcards = false;    // StringLike
    bool if_exists = false;
    ValueOrder order = ValueOrder::equal;
    Quantifier quantifier = Quantifier::none;
    bool of_resource = false;  // of what a call touches or makes; else every call has it
    std::vector<PolicyText> values;
};

// The condition without its values. `trust`: of a trust policy.
Result<PolicyCondition> make_condition(std::string_view operator_name, std::string_view key,
                                       bool trust);
// Whether `value` is one that the condition's operator takes.
Status check_condition_value(const PolicyCondition& condition, const PolicyText& value);
// IAM-33: whether the variables may be there; true if one is of what a call touches or makes.
Result<bool> check_variables(const PolicyText& text, bool trust);

// Over what `find` knows of a call.
bool holds(const PolicyCondition& condition, const FindFact& find);

}  // namespace kiln::control
