// SPDX-License-Identifier: Apache-2.0
// Conditions of policies (IAM-8): which operators and keys there are, and whether a condition holds
// for what is known of a call.
//
// A key is known here only if its value is supplied for every call that has it (control/
// resource_facts.h); any other is refused when the policy is put. What a call does not have equals
// nothing: operators that say "not" hold for it, and those that end in IfExists.
//
// Errors: those of make_condition() say what is wrong, as the message of MalformedPolicyDocument.
// Thread model: plain values, pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "util/result.h"

namespace kiln::control {

// Condition keys and their values, of a call or a resource. Keys are kept in lower case.
class PolicyFacts {
  public:
    // A key with several values has them all.
    void add(std::string_view key, std::string value);
    // Instead of what was there.
    void set(std::string_view key, std::string value);
    void add_all(const PolicyFacts& others);
    // Null where the key is absent. `key` is in lower case.
    const std::vector<std::string>* find(std::string_view key) const;

  private:
    std::vector<std::pair<std::string, std::vector<std::string>>> entries_;
};

enum class ConditionTest { text, arn, number, boolean, absent };
enum class NumberOrder { equal, less, less_or_equal, greater, greater_or_equal };
// ForAnyValue and ForAllValues: how many of the values of a key with several must pass.
enum class Quantifier { none, any, all };

struct PolicyCondition {
    std::string key;  // in lower case: "aws:resourcetag/team"
    ConditionTest test = ConditionTest::text;
    bool negated = false;      // StringNot...
    bool ignore_case = false;  // String...IgnoreCase
    bool wildcards = false;    // StringLike
    bool if_exists = false;
    NumberOrder order = NumberOrder::equal;
    Quantifier quantifier = Quantifier::none;
    bool of_resource = false;  // of what a call touches or makes; else every call has it
    std::vector<std::string> values;
};

// The condition without its values. `trust`: of a trust policy.
Result<PolicyCondition> make_condition(std::string_view operator_name, std::string_view key,
                                       bool trust);
// Whether `value` is one that the condition's operator takes.
Status check_condition_value(const PolicyCondition& condition, std::string_view value);

// `actual`: null where the key is absent.
bool holds(const PolicyCondition& condition, const std::vector<std::string>* actual);

// Part by part, of the six that colons divide: '*' and '?' do not reach over a colon.
bool arn_match(std::string_view pattern, std::string_view arn);

}  // namespace kiln::control
