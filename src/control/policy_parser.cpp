// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "control/policy.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxValues = 1'000;  // actions of a statement, values of a condition
constexpr std::array<std::string_view, 6> kServed{"ebs", "ec2", "iam", "kiln", "ssm", "sts"};

Error malformed(std::string message) {
    return Error::api(Code::invalid_argument, "MalformedPolicyDocument", std::move(message));
}

Error syntax(std::string_view what) {
    return malformed(fmt::format("Syntax errors in policy: {}", what));
}

// Nothing where a name occurs twice in an object: which one is meant would be a guess.
std::optional<json> parse_json(std::string_view text) {
    std::vector<std::set<std::string>> names;
    bool sound = true;
    const auto look = [&](int depth, json::parse_event_t event, json& value) {
        if (event == json::parse_event_t::object_start) {
            names.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            names.pop_back();
        } else if (event == json::parse_event_t::key) {
            sound = names.back().insert(value.get<std::string>()).second && sound;
        }
        sound = depth <= kMaxDepth && sound;
        return sound;
    };
    json document = json::parse(text, look, false);
    return sound && document.is_object() ? std::optional<json>(std::move(document)) : std::nullopt;
}

// A text, or a list of texts; at least one.
Result<std::vector<std::string>> texts(const json& value, std::string_view name) {
    std::vector<std::string> out;
    const json list = value.is_array() ? value : json::array({value});
    for (const json& item : list) {
        if (!item.is_string() || out.size() == kMaxValues) {
            return syntax(
                fmt::format("{} takes a text, or a list of up to {} texts.", name, kMaxValues));
        }
        out.push_back(item.get<std::string>());
    }
    if (out.empty()) {
        return syntax(fmt::format("{} is empty.", name));
    }
    return out;
}

// "*", or a service, a colon and letters with wildcards.
bool is_action(std::string_view text) {
    if (text == "*") {
        return true;
    }
    const auto colon = text.find(':');
    if (colon == text.npos || colon == 0 || colon + 1 == text.size()) {
        return false;
    }
    const auto of_service = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    const auto of_name = [&](char c) {
        return (of_service(c) && c != '-') || c == '*' || c == '?';
    };
    const std::string_view service = text.substr(0, colon);
    const std::string_view name = text.substr(colon + 1);
    return std::all_of(service.begin(), service.end(), of_service) &&
           std::all_of(name.begin(), name.end(), of_name);
}

bool is_served(std::string_view action) {
    const std::string service = to_lower(action.substr(0, action.find(':')));
    return action == "*" || std::find(kServed.begin(), kServed.end(), service) != kServed.end();
}

Status take_actions(const json& from, PolicyStatement& out) {
    out.all_but = from.contains("NotAction");
    if (out.all_but == from.contains("Action")) {
        return syntax("a statement takes Action or NotAction, and one of them only.");
    }
    TRY_ASSIGN(out.actions, texts(from[out.all_but ? "NotAction" : "Action"], "Action"));
    for (const std::string& action : out.actions) {
        if (!is_action(action)) {
            return malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: '" +
                action + "' is not.");
        }
    }
    out.elsewhere = !out.all_but && std::none_of(out.actions.begin(), out.actions.end(), is_served);
    return ok();
}

constexpr std::string_view kVariables = "2012-10-17";  // the version that has them

// How a document is to be read.
struct Reading {
    bool trust = false;
    bool variables = false;
};

Result<PolicyText> read_text(const std::string& text, const Reading& reading) {
    if (!reading.variables) {
        return PolicyText::plain(text);
    }
    auto parsed = PolicyText::parse(text);
    return parsed ? std::move(parsed) : Result<PolicyText>(malformed(parsed.error().message()));
}

// IAM-7: "*", or arn:aws:SERVICE:REGION:ACCOUNT:REST with wildcards in the last three, and
// variables in the last (IAM-33).
Status check_resource(const PolicyText& resource) {
    const std::string& text = resource.text();
    if (text == "*") {
        return ok();
    }
    constexpr std::size_t kArnColons = 5;
    const auto parts = split(text, ':');
    if (resource.has_variable_before_colon(kArnColons)) {
        return malformed("A policy variable may stand only after the fifth colon of an ARN: '" +
                         text + "'.");
    }
    if (parts.size() <= kArnColons || parts[0] != "arn") {
        return malformed("Resource " + text + " must be in ARN format or \"*\".");
    }
    if (parts[1] != "aws") {
        return malformed(
            fmt::format("Partition \"{}\" is not valid for resource \"{}\".", parts[1], text));
    }
    if (parts[2].empty() || std::string_view(parts[2]).find_first_of("*?") != std::string::npos) {
        return malformed("Resource vendor must be fully qualified and cannot contain regexes: '" +
                         text + "'.");
    }
    const auto variables = check_variables(resource, false);
    return variables ? ok() : Status(malformed(variables.error().message()));
}

Status take_resources(const json& from, PolicyStatement& out, const Reading& reading) {
    out.all_but_resources = from.contains("NotResource");
    if (out.all_but_resources == from.contains("Resource")) {
        return malformed("Policy statement must contain resources.");
    }
    TRY_ASSIGN(const auto resources,
               texts(from[out.all_but_resources ? "NotResource" : "Resource"], "Resource"));
    for (const std::string& resource : resources) {
        if (out.elsewhere) {
            out.resources.push_back(PolicyText::plain(resource));
            continue;
        }
        TRY_ASSIGN(out.resources.emplace_back(), read_text(resource, reading));
        TRY(check_resource(out.resources.back()));
    }
    return ok();
}

// Numbers and booleans as they are written in JSON, too, where an operator takes them.
json as_texts(const json& values, ConditionTest test) {
    json list = values.is_array() ? values : json::array({values});
    for (json& value : list) {
        const bool boolean = test == ConditionTest::boolean || test == ConditionTest::absent;
        if ((value.is_boolean() && boolean) ||
            (value.is_number() && test == ConditionTest::number) ||
            (value.is_number_integer() && test == ConditionTest::date)) {
            value = value.dump();
        }
    }
    return list;
}

// IAM-8
Result<PolicyCondition> parse_condition(const std::string& operator_name, const std::string& key,
                                        const json& values, const Reading& reading) {
    auto condition = make_condition(operator_name, key, reading.trust);
    if (!condition) {
        return malformed(condition.error().message());
    }
    TRY_ASSIGN(const auto given, texts(as_texts(values, condition->test), key));
    for (const std::string& text : given) {
        TRY_ASSIGN(auto value, read_text(text, reading));
        const Status sound = check_condition_value(*condition, value);
        if (!sound) {
            return malformed(sound.error().message());
        }
        const auto of_resource = check_variables(value, reading.trust);
        if (!of_resource) {
            return malformed(of_resource.error().message());
        }
        condition->of_resource = condition->of_resource || *of_resource;
        condition->values.push_back(std::move(value));
    }
    return condition;
}

Status take_conditions(const json& from, PolicyStatement& out, const Reading& reading) {
    const auto given = from.find("Condition");
    if (given == from.end()) {
        return ok();
    }
    if (!given->is_object()) {
        return syntax("Condition is no object.");
    }
    for (const auto& [operator_name, keys] : given->items()) {
        if (!keys.is_object()) {
            return syntax("a condition's operator takes an object of keys and values.");
        }
        for (const auto& [key, values] : keys.items()) {
            if (out.elsewhere) {
                continue;
            }
            TRY_ASSIGN(out.conditions.emplace_back(),
                       parse_condition(operator_name, key, values, reading));
        }
    }
    return ok();
}

Status check_members(const json& from, std::initializer_list<std::string_view> known) {
    for (const auto& [name, value] : from.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return syntax("'" + name + "' is not known here.");
        }
        if ((name == "Sid" || name == "Id") && !value.is_string()) {
            return syntax(name + " is no text.");
        }
    }
    return ok();
}

Status take_effect(const json& from, PolicyStatement& out) {
    const auto effect = from.find("Effect");
    if (effect == from.end() || (*effect != "Allow" && *effect != "Deny")) {
        return syntax("a statement's Effect is Allow or Deny.");
    }
    out.allow = *effect == "Allow";
    out.sid = from.value("Sid", "");
    return ok();
}

Result<PolicyStatement> identity_statement(const json& from, const Reading& reading) {
    if (from.contains("Principal") || from.contains("NotPrincipal")) {
        return malformed("Policy document should not specify a principal.");
    }
    TRY(check_members(
        from, {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}));
    PolicyStatement statement;
    TRY(take_effect(from, statement));
    TRY(take_actions(from, statement));
    TRY(take_resources(from, statement, reading));
    TRY(take_conditions(from, statement, reading));
    return statement;
}

Status take_principal(const json& from, PolicyStatement& out) {
    const auto principal = from.find("Principal");
    if (principal == from.end()) {
        return malformed("Missing required field Principal.");
    }
    if (*principal == "*") {
        out.anybody = true;
        return ok();
    }
    if (!principal->is_object() || principal->empty()) {
        return syntax("Principal is \"*\" or an object.");
    }
    TRY(check_members(*principal, {"AWS", "Service", "Federated", "CanonicalUser"}));
    for (const auto& [kind, value] : principal->items()) {
        TRY_ASSIGN(const auto names, texts(value, kind));
        if (kind == "Service") {
            out.services = names;
        } else if (kind == "AWS") {
            out.principals = names;
        }
        out.anybody = out.anybody || std::find(names.begin(), names.end(), "*") != names.end();
    }
    return ok();
}

Result<PolicyStatement> trust_statement(const json& from, const Reading& reading) {
    if (from.contains("Resource") || from.contains("NotResource")) {
        return malformed("Has prohibited field Resource.");
    }
    if (from.contains("NotPrincipal")) {
        return malformed("NotPrincipal is not supported by this server in trust policies.");
    }
    TRY(check_members(from, {"Sid", "Effect", "Action", "NotAction", "Principal", "Condition"}));
    PolicyStatement statement;
    TRY(take_effect(from, statement));
    TRY(take_actions(from, statement));
    for (const std::string& action : statement.actions) {
        if (!to_lower(action).starts_with("sts:")) {
            return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
        }
    }
    TRY(take_principal(from, statement));
    TRY(take_conditions(from, statement, reading));
    if (statement.allow && !statement.services.empty() && !statement.conditions.empty()) {
        return malformed(
            "Condition is not supported by this server for services in trust policies.");
    }
    return statement;
}

Result<Policy> parse(std::string_view text, bool trust) {
    if (text.size() > kMaxPolicyBytes) {
        return syntax(fmt::format("the document is longer than {} bytes.", kMaxPolicyBytes));
    }
    const auto document = parse_json(text);
    if (!document) {
        return malformed("This policy contains invalid Json");
    }
    TRY(check_members(*document, {"Version", "Id", "Statement"}));
    const auto version = document->find("Version");
    if (version != document->end() && *version != kVariables && *version != "2008-10-17") {
        return syntax("Version is 2012-10-17 or 2008-10-17.");
    }
    const auto given = document->find("Statement");
    if (given == document->end()) {
        return syntax("there is no Statement.");
    }
    const json list = given->is_array() ? *given : json::array({*given});
    // Without a version it is the older one.
    const Reading reading{trust, version != document->end() && *version == kVariables};
    Policy policy;
    for (const json& item : list) {
        if (!item.is_object()) {
            return syntax("a statement is no object.");
        }
        TRY_ASSIGN(policy.emplace_back(),
                   trust ? trust_statement(item, reading) : identity_statement(item, reading));
    }
    if (policy.empty()) {
        return syntax("there is no Statement.");
    }
    return policy;
}

}  // namespace

Result<Policy> parse_identity_policy(std::string_view text) {
    return parse(text, false);
}

Result<Policy> parse_trust_policy(std::string_view text) {
    return parse(text, true);
}

}  // namespace kiln::control
