// SPDX-License-Identifier: Apache-2.0
#include "control/policy_conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "control/policy_keys.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kArnColons = 5;

struct Operator {
    std::string_view name;
    ConditionTest test;
    bool negated = false;
    bool ignore_case = false;
    bool wildcards = false;
    ValueOrder order = ValueOrder::equal;
};
constexpr Operator kOperators[] = {
    {"stringequals", ConditionTest::text},
    {"stringnotequals", ConditionTest::text, true},
    {"stringequalsignorecase", ConditionTest::text, false, true},
    {"stringnotequalsignorecase", ConditionTest::text, true, true},
    {"stringlike", ConditionTest::text, false, false, true},
    {"stringnotlike", ConditionTest::text, true, false, true},
    // IAM makes no difference between these.
    {"arnequals", ConditionTest::arn, false, false, true},
    {"arnlike", ConditionTest::arn, false, false, true},
    {"arnnotequals", ConditionTest::arn, true, false, true},
    {"arnnotlike", ConditionTest::arn, true, false, true},
    {"numericequals", ConditionTest::number},
    {"numericnotequals", ConditionTest::number, true},
    {"numericlessthan", ConditionTest::number, false, false, false, ValueOrder::less},
    {"numericlessthanequals", ConditionTest::number, false, false, false,
     ValueOrder::less_or_equal},
    {"numericgreaterthan", ConditionTest::number, false, false, false, ValueOrder::greater},
    {"numericgreaterthanequals", ConditionTest::number, false, false, false,
     ValueOrder::greater_or_equal},
    {"dateequals", ConditionTest::date},
    {"datenotequals", ConditionTest::date, true},
    {"datelessthan", ConditionTest::date, false, false, false, ValueOrder::less},
    {"datelessthanequals", ConditionTest::date, false, false, false, ValueOrder::less_or_equal},
    {"dategreaterthan", ConditionTest::date, false, false, false, ValueOrder::greater},
    {"dategreaterthanequals", ConditionTest::date, false, false, false,
     ValueOrder::greater_or_equal},
    {"bool", ConditionTest::boolean},
    {"ipaddress", ConditionTest::address},
    {"notipaddress", ConditionTest::address, true},
    {"null", ConditionTest::absent},
};

// Nothing where an operator of numbers, say, is asked of what is none.
bool fits(ConditionTest test, KeyType type) {
    switch (test) {
        case ConditionTest::text:
            return type != KeyType::address;  // an address has several spellings
        case ConditionTest::absent:
            return true;
        case ConditionTest::arn:
            return type == KeyType::arn;
        case ConditionTest::number:
            return type == KeyType::number || type == KeyType::epoch;
        case ConditionTest::date:
            return type == KeyType::date || type == KeyType::epoch;
        case ConditionTest::boolean:
            return type == KeyType::boolean;
        case ConditionTest::address:
            return type == KeyType::address;
    }
    return false;
}

// "nan" and "inf", which the library reads as well, are none: a Deny that compares with them would
// never hold.
std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

template <class T>
bool in_order(ValueOrder order, T actual, T wanted) {
    switch (order) {
        case ValueOrder::equal:
            return actual == wanted;
        case ValueOrder::less:
            return actual < wanted;
        case ValueOrder::less_or_equal:
            return actual <= wanted;
        case ValueOrder::greater:
            return actual > wanted;
        case ValueOrder::greater_or_equal:
            return actual >= wanted;
    }
    return false;
}

template <class T>
bool compare(const PolicyCondition& condition, const std::optional<T>& actual,
             const std::optional<T>& wanted) {
    return actual && wanted && in_order(condition.order, *actual, *wanted);
}

bool equal(const PolicyCondition& condition, const Pattern& pattern, const std::string& actual) {
    if (condition.test == ConditionTest::arn) {
        return arn_match(pattern, actual);
    }
    if (condition.test == ConditionTest::text && condition.wildcards) {
        return wildcard_match(pattern, actual, condition.ignore_case);
    }
    const std::string wanted = plain_text(pattern);
    switch (condition.test) {
        case ConditionTest::number:
            return compare(condition, number(actual), number(wanted));
        case ConditionTest::date:
            return compare(condition, policy_time(actual), policy_time(wanted));
        case ConditionTest::boolean:
            return to_lower(wanted) == actual;
        case ConditionTest::address:
            return in_address_range(wanted, actual);
        case ConditionTest::text:
        case ConditionTest::arn:
        case ConditionTest::absent:
            break;
    }
    return condition.ignore_case ? to_lower(wanted) == to_lower(actual) : wanted == actual;
}

}  // namespace

Result<PolicyCondition> make_condition(std::string_view operator_name, std::string_view key,
                                       bool trust) {
    const auto unknown = [](std::string_view what, std::string_view name) {
        return Error(
            Code::invalid_argument,
            fmt::format("The condition {} {} is not supported by this server.", what, name));
    };
    PolicyCondition condition;
    std::string name = to_lower(operator_name);
    std::string_view rest = name;
    const auto drop_start = [&](std::string_view start) {
        const bool there = rest.starts_with(start);
        rest.remove_prefix(there ? start.size() : 0);
        return there;
    };
    if (drop_start("foranyvalue:")) {
        condition.quantifier = Quantifier::any;
    } else if (drop_start("forallvalues:")) {
        condition.quantifier = Quantifier::all;
    }
    constexpr std::string_view kIfExists = "ifexists";
    if (rest.ends_with(kIfExists)) {
        condition.if_exists = true;
        rest.remove_suffix(kIfExists.size());
    }
    const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const Operator& o) { return o.name == rest; });
    if (op == std::end(kOperators) ||
        (op->test == ConditionTest::absent &&
         (condition.if_exists || condition.quantifier != Quantifier::none))) {
        return unknown("operator", operator_name);
    }
    condition.key = to_lower(key);
    const PolicyKey* known = find_policy_key(condition.key);
    if (known == nullptr || !is_known_to(*known, trust)) {
        return unknown("key", key);
    }
    if (!fits(op->test, known->type)) {
        return Error(Code::invalid_argument,
                     fmt::format("The condition operator {} cannot be asked of the key {}.",
                                 operator_name, key));
    }
    condition.test = op->test;
    condition.negated = op->negated;
    condition.ignore_case = op->ignore_case;
    condition.wildcards = op->wildcards;
    condition.order = op->order;
    condition.of_resource = is_of_resource(*known, trust);
    return condition;
}

Status check_condition_value(const PolicyCondition& condition, const PolicyText& value) {
    const std::string& text = value.text();
    const auto wrong = [&](std::string_view what) {
        return Error(Code::invalid_argument,
                     fmt::format("'{}', which a condition compares with {}, is no {}.", text,
                                 condition.key, what));
    };
    const std::string lower = to_lower(text);
    switch (condition.test) {
        case ConditionTest::boolean:
        case ConditionTest::absent:
            return lower == "true" || lower == "false" ? ok() : Status(wrong("boolean"));
        case ConditionTest::number:
            return number(text) ? ok() : Status(wrong("number"));
        case ConditionTest::date:
            return policy_time(text)
                       ? ok()
                       : Status(wrong("date of ISO 8601 nor a number of seconds since 1970"));
        case ConditionTest::address:
            return is_address_range(text) ? ok() : Status(wrong("address or range of addresses"));
        case ConditionTest::arn:
            return value.colons() >= kArnColons ? ok() : Status(wrong("ARN"));
        case ConditionTest::text:
            return ok();
    }
    return ok();
}

Result<bool> check_variables(const PolicyText& text, bool trust) {
    bool of_resource = false;
    for (const std::string_view key : text.keys()) {
        const PolicyKey* known = find_policy_key(key);
        if (known == nullptr || !is_known_to(*known, trust) || known->several) {
            return Error(
                Code::invalid_argument,
                fmt::format(
                    "The policy variable ${{{}}} is not supported by this "
                    "server{}.",
                    key,
                    known != nullptr && known->several ? ": the key may have several values" : ""));
        }
        of_resource = of_resource || is_of_resource(*known, trust);
    }
    return of_resource;
}

bool holds(const PolicyCondition& condition, const FindFact& find) {
    const auto* actual = find(condition.key);
    if (condition.test == ConditionTest::absent) {
        return std::any_of(condition.values.begin(), condition.values.end(),
                           [&](const PolicyText& wanted) {
                               return (to_lower(wanted.text()) == "true") == (actual == nullptr);
                           });
    }
    if (actual == nullptr) {
        return condition.if_exists || condition.quantifier == Quantifier::all ||
               (condition.negated && condition.quantifier == Quantifier::none);
    }
    std::vector<Pattern> wanted;
    for (const PolicyText& value : condition.values) {
        if (auto pattern = value.resolve(find)) {
            wanted.push_back(std::move(*pattern));
        }
    }
    const auto passes = [&](const std::string& value) {
        const bool among = std::any_of(wanted.begin(), wanted.end(), [&](const Pattern& pattern) {
            return equal(condition, pattern, value);
        });
        return among != condition.negated;
    };
    switch (condition.quantifier) {
        case Quantifier::any:
            return std::any_of(actual->begin(), actual->end(), passes);
        case Quantifier::all:
            return std::all_of(actual->begin(), actual->end(), passes);
        case Quantifier::none:
            break;
    }
    // Of a key with several values: one of them, or, where it says "not", none of them.
    return condition.negated ? std::all_of(actual->begin(), actual->end(), passes)
                             : std::any_of(actual->begin(), actual->end(), passes);
}

}  // namespace kiln::control
