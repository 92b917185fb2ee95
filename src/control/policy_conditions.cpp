// SPDX-License-Identifier: Apache-2.0
#include "control/policy_conditions.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "control/policy.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kArnParts = 6;

struct Operator {
    std::string_view name;
    ConditionTest test;
    bool negated = false;
    bool ignore_case = false;
    bool wildcards = false;
    NumberOrder order = NumberOrder::equal;
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
    {"numericlessthan", ConditionTest::number, false, false, false, NumberOrder::less},
    {"numericlessthanequals", ConditionTest::number, false, false, false,
     NumberOrder::less_or_equal},
    {"numericgreaterthan", ConditionTest::number, false, false, false, NumberOrder::greater},
    {"numericgreaterthanequals", ConditionTest::number, false, false, false,
     NumberOrder::greater_or_equal},
    {"bool", ConditionTest::boolean},
    {"null", ConditionTest::absent},
};

enum class KeyType { text, arn, number, boolean };
enum class KeyScope { call, resource, trust };
struct Key {
    std::string_view name;  // one that ends in '/' is followed by the key of a tag
    KeyType type = KeyType::text;
    KeyScope scope = KeyScope::resource;
};
constexpr Key kKeys[] = {
    {"aws:requestedregion", KeyType::text, KeyScope::call},
    {"ec2:region", KeyType::text, KeyScope::call},
    {"aws:principalaccount", KeyType::text, KeyScope::call},
    {"aws:principalarn", KeyType::arn, KeyScope::call},
    {"sts:externalid", KeyType::text, KeyScope::trust},
    {"sts:rolesessionname", KeyType::text, KeyScope::trust},
    {"aws:requesttag/"},
    {"aws:tagkeys"},
    {"aws:resourcetag/"},
    {"ec2:resourcetag/"},
    {"ec2:createaction"},
    {"ec2:owner"},
    {"ec2:public", KeyType::boolean},
    {"ec2:imageid"},
    {"ec2:imagetype"},
    {"ec2:rootdevicetype"},
    {"ec2:instanceid"},
    {"ec2:instancetype"},
    {"ec2:instanceprofile", KeyType::arn},
    {"ec2:availabilityzone"},
    {"ec2:volumeid"},
    {"ec2:volumesize", KeyType::number},
    {"ec2:volumetype"},
    {"ec2:volumeiops", KeyType::number},
    {"ec2:volumethroughput", KeyType::number},
    {"ec2:encrypted", KeyType::boolean},
    {"ec2:parentsnapshot", KeyType::arn},
    {"ec2:parentvolume", KeyType::arn},
    {"ec2:snapshotid"},
    {"ec2:vpc", KeyType::arn},
    {"ec2:vpcid"},
    {"ec2:subnet", KeyType::arn},
    {"ec2:subnetid"},
    {"ec2:securitygroupid"},
    {"ec2:keypairname"},
    {"ec2:keypairtype"},
    {"iam:passedtoservice"},
};

const Key* find_key(std::string_view key) {
    const auto* found = std::find_if(std::begin(kKeys), std::end(kKeys), [&](const Key& k) {
        return k.name.ends_with('/') ? key.size() > k.name.size() && key.starts_with(k.name)
                                     : key == k.name;
    });
    return found == std::end(kKeys) ? nullptr : found;
}

// Nothing where an operator of numbers, say, is asked of what is none.
bool fits(ConditionTest test, KeyType type) {
    switch (test) {
        case ConditionTest::text:
        case ConditionTest::absent:
            return true;
        case ConditionTest::arn:
            return type == KeyType::arn;
        case ConditionTest::number:
            return type == KeyType::number;
        case ConditionTest::boolean:
            return type == KeyType::boolean;
    }
    return false;
}

std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

bool in_order(NumberOrder order, double actual, double wanted) {
    switch (order) {
        case NumberOrder::equal:
            return actual == wanted;
        case NumberOrder::less:
            return actual < wanted;
        case NumberOrder::less_or_equal:
            return actual <= wanted;
        case NumberOrder::greater:
            return actual > wanted;
        case NumberOrder::greater_or_equal:
            return actual >= wanted;
    }
    return false;
}

bool equal(const PolicyCondition& condition, std::string_view wanted, std::string_view actual) {
    switch (condition.test) {
        case ConditionTest::arn:
            return arn_match(wanted, actual);
        case ConditionTest::number: {
            const auto a = number(actual);
            const auto w = number(wanted);
            return a && w && in_order(condition.order, *a, *w);
        }
        case ConditionTest::boolean:
            return to_lower(wanted) == actual;
        case ConditionTest::text:
        case ConditionTest::absent:
            break;
    }
    if (condition.wildcards) {
        return wildcard_match(wanted, actual, condition.ignore_case);
    }
    return condition.ignore_case ? to_lower(wanted) == to_lower(actual) : wanted == actual;
}

bool among(const PolicyCondition& condition, const std::string& actual) {
    return std::any_of(condition.values.begin(), condition.values.end(),
                       [&](const std::string& wanted) { return equal(condition, wanted, actual); });
}

}  // namespace

void PolicyFacts::add(std::string_view key, std::string value) {
    const std::string name = to_lower(key);
    for (auto& [present, values] : entries_) {
        if (present == name) {
            values.push_back(std::move(value));
            return;
        }
    }
    entries_.emplace_back(name, std::vector{std::move(value)});
}

void PolicyFacts::set(std::string_view key, std::string value) {
    std::erase_if(entries_, [&](const auto& entry) { return entry.first == to_lower(key); });
    add(key, std::move(value));
}

void PolicyFacts::add_all(const PolicyFacts& others) {
    for (const auto& [key, values] : others.entries_) {
        for (const std::string& value : values) {
            add(key, value);
        }
    }
}

const std::vector<std::string>* PolicyFacts::find(std::string_view key) const {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const auto& entry) { return entry.first == key; });
    return found == entries_.end() ? nullptr : &found->second;
}

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
    const Key* known = find_key(condition.key);
    if (known == nullptr || (known->scope == KeyScope::trust && !trust) ||
        (known->scope == KeyScope::resource && trust)) {
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
    condition.of_resource = known->scope == KeyScope::resource;
    return condition;
}

Status check_condition_value(const PolicyCondition& condition, std::string_view value) {
    const auto wrong = [&](std::string_view what) {
        return Error(Code::invalid_argument,
                     fmt::format("'{}', which a condition compares with {}, is no {}.", value,
                                 condition.key, what));
    };
    const std::string lower = to_lower(value);
    switch (condition.test) {
        case ConditionTest::boolean:
        case ConditionTest::absent:
            return lower == "true" || lower == "false" ? ok() : Status(wrong("boolean"));
        case ConditionTest::number:
            return number(value) ? ok() : Status(wrong("number"));
        case ConditionTest::arn:
            return std::count(value.begin(), value.end(), ':') + 1 >=
                           static_cast<std::ptrdiff_t>(kArnParts)
                       ? ok()
                       : Status(wrong("ARN"));
        case ConditionTest::text:
            return ok();
    }
    return ok();
}

bool holds(const PolicyCondition& condition, const std::vector<std::string>* actual) {
    if (condition.test == ConditionTest::absent) {
        return std::any_of(
            condition.values.begin(), condition.values.end(),
            [&](const std::string& wanted) { return (to_lower(wanted) == "true") == !actual; });
    }
    if (actual == nullptr) {
        return condition.if_exists || condition.quantifier == Quantifier::all ||
               (condition.negated && condition.quantifier == Quantifier::none);
    }
    const auto passes = [&](const std::string& value) {
        return among(condition, value) != condition.negated;
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

bool arn_match(std::string_view pattern, std::string_view arn) {
    for (std::size_t part = 1; part < kArnParts; ++part) {
        const auto p = pattern.find(':');
        const auto a = arn.find(':');
        if (p == pattern.npos || a == arn.npos ||
            !wildcard_match(pattern.substr(0, p), arn.substr(0, a), false)) {
            return false;
        }
        pattern.remove_prefix(p + 1);
        arn.remove_prefix(a + 1);
    }
    return wildcard_match(pattern, arn, false);
}

}  // namespace kiln::control
