// SPDX-License-Identifier: Apache-2.0
// Job: long work as a durable row (DESIGN 5). A worker leases it, does one small idempotent step,
// and commits the step's effects together with the row's next step; a restart resumes. What is over
// is erased: the outcome stands in the subject's state.
//
// The lease is proven by `lease_epoch`, which grows with every lease: a worker that lost its lease
// cannot commit. Thread model: plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::model {

struct Job {
    JobId id;
    std::string kind;     // which worker: "instance.launch", "content.destage"
    std::string subject;  // the id of what it works on
    std::string step;     // where it stands; the kind defines the names
    std::string payload;  // what the kind keeps for itself, usually JSON
    UnixMillis created;
    UnixMillis not_before;       // due from then on
    std::uint32_t attempts = 0;  // failures of the present step
    std::string last_error;

    // Written by the catalog alone.
    std::string lease_owner;
    std::optional<UnixMillis> lease_until;
    std::uint64_t lease_epoch = 0;
    bool woken = false;  // somebody called while the step ran
    friend bool operator==(const Job&, const Job&) = default;
};

}  // namespace kiln::model
