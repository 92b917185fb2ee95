// SPDX-License-Identifier: Apache-2.0
// Transition tables: every (state, event) pair of a resource stands in its table once, also the
// forbidden ones, with the error that a client then gets. A test holds each table complete; next()
// of each resource looks the pair up.
//
// An event that answers with the same state is allowed and changes nothing.
// Thread model: immutable tables, pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "util/check.h"
#include "util/result.h"

namespace kiln::model {

// Why a pair is forbidden. `{}` in the text stands for the resource's id. Without api_code it is no
// client's mistake: a worker reports something about a resource that has moved on meanwhile, and
// drops what it meant to do.
struct Refusal {
    Code code;
    std::string_view api_code;
    std::string_view text;
    friend bool operator==(const Refusal&, const Refusal&) = default;
};

Error to_error(const Refusal& refusal, std::string_view id);

template <class State, class Event>
struct Transition {
    State from;
    Event event;
    std::optional<State> to;  // one of the two is set
    const Refusal* refusal = nullptr;
};

template <class State, class Event>
Result<State> look_up(std::span<const Transition<State, Event>> table, State state, Event event,
                      std::string_view id) {
    for (const auto& row : table) {
        if (row.from == state && row.event == event) {
            if (row.to) {
                return *row.to;
            }
            return to_error(*row.refusal, id);
        }
    }
    INVARIANT_MSG(false, "a pair of state and event is missing in its transition table");
    return state;
}

}  // namespace kiln::model
