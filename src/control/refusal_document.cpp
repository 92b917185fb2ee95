// SPDX-License-Identifier: Apache-2.0
#include "control/refusal_document.h"

#include <nlohmann/json.hpp>

#include "control/authorization_messages.h"
#include "control/resource_facts.h"
#include "util/check.h"

namespace kiln::control {
namespace {

using nlohmann::ordered_json;

// Of what may be long, as it is written. With the frame around it (400 bytes) and a user of the
// longest path, each character of which is escaped (1,200), they leave 300 of kMaxRefusalDocument
// for conditions at the least. A launch has the most of those: 2,200 bytes with two tags, and 700
// of all else.
constexpr std::size_t kStatementBytes = 1'200;
constexpr std::size_t kResourceBytes = 500;
constexpr std::size_t kSidBytes = 300;
constexpr std::size_t kMostPerByte = 6;  // a control character is written as \u0001

// What a request wrote may be no UTF-8.
std::string written(const ordered_json& value) {
    return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string shortened(const std::string& text, std::size_t most) {
    return written(text).size() <= most ? text : text.substr(0, most / kMostPerByte);
}

ordered_json empty_list() {
    return {{"items", ordered_json::array()}};
}

// Of what goes into lists of the form {"items":[...]}: as many items as there is room for.
class Room {
  public:
    explicit Room(std::size_t bytes) : left_(bytes) {}
    void put(ordered_json& list, ordered_json item) {
        const std::size_t size = written(item).size() + 1;
        if (size <= left_) {
            left_ -= size;
            list["items"].push_back(std::move(item));
        }
    }

  private:
    std::size_t left_;
};

ordered_json item_of(const std::string& text) {
    return {{"value", text}};
}

ordered_json item_of(const PolicyText& text) {
    return item_of(text.text());
}

template <class Texts>
ordered_json items_of(Room& room, const Texts& texts) {
    ordered_json list = empty_list();
    for (const auto& text : texts) {
        room.put(list, item_of(text));
    }
    return list;
}

// A key with all its values, or not at all.
template <class Texts>
void put_condition(Room& room, ordered_json& list, const std::string& key, const Texts& texts) {
    ordered_json values = empty_list();
    for (const auto& text : texts) {
        values["items"].push_back(item_of(text));
    }
    room.put(list, {{"key", key}, {"values", std::move(values)}});
}

ordered_json matched(const PolicyStatement& statement, const std::string& principal_id) {
    Room room(kStatementBytes);
    ordered_json conditions = empty_list();
    ordered_json principals = items_of(room, std::vector{principal_id});
    ordered_json actions = items_of(room, statement.actions);
    ordered_json resources = items_of(room, statement.resources);
    for (const PolicyCondition& condition : statement.conditions) {
        put_condition(room, conditions, condition.key, condition.values);
    }
    return {{"statementId", shortened(statement.sid, kSidBytes)},
            {"effect", "DENY"},
            {"principals", std::move(principals)},
            {"principalGroups", empty_list()},
            {statement.all_but ? "notActions" : "actions", std::move(actions)},
            {statement.all_but_resources ? "notResources" : "resources", std::move(resources)},
            {"conditions", std::move(conditions)}};
}

ordered_json conditions_of(const PolicyRequest& request, Room room) {
    ordered_json list = empty_list();
    const auto put = [&](const PolicyFacts& facts) {
        for (const PolicyFacts::Entry& entry : facts.all()) {
            if (entry.matched != kAskedAs) {
                put_condition(room, list, entry.key, entry.values);
            }
        }
    };
    if (request.resource != nullptr) {
        put(request.resource->facts);
    }
    put(request.call);
    return list;
}

ordered_json principal_of(const Identity& identity) {
    ordered_json principal;
    principal["id"] = identity.user_id;
    if (!identity.user_name.empty()) {
        principal["name"] = identity.user_name;
    }
    principal["arn"] = identity.arn;
    return principal;
}

}  // namespace

std::string refusal_document(const Caller& caller, const PolicyRequest& request,
                             const Decision& decision) {
    INVARIANT(caller.identity != nullptr);  // an account is refused nothing
    const Identity& identity = *caller.identity;
    ordered_json statements = empty_list();
    if (decision.denial != nullptr) {
        statements["items"].push_back(matched(*decision.denial, identity.user_id));
    }
    const std::string resource = request.resource == nullptr ? "*" : request.resource->arns.front();
    ordered_json document = {{"allowed", false},
                             {"explicitDeny", decision.outcome == PolicyDecision::denied},
                             {"matchedStatements", std::move(statements)},
                             {"failures", empty_list()},
                             {"context",
                              {{"principal", principal_of(identity)},
                               {"action", request.action},
                               {"resource", shortened(resource, kResourceBytes)},
                               {"conditions", empty_list()}}}};
    const std::size_t taken = written(document).size();
    INVARIANT(taken <= kMaxRefusalDocument);
    document["context"]["conditions"] = conditions_of(request, Room(kMaxRefusalDocument - taken));
    return written(document);
}

}  // namespace kiln::control
