// SPDX-License-Identifier: Apache-2.0
// TemporaryKeys: keys that are asked for and end by themselves: those of a role that the caller may
// take (AssumeRole), and those of the caller's own session (GetSessionToken); IAM-17 .. IAM-22.
// Thread-safe, blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/sessions.h"

namespace kiln::control {

struct AssumeRoleInput {
    std::string role_arn;
    std::string session_name;
    std::optional<std::string> external_id;
    std::optional<std::int32_t> seconds;
    std::string policy;  // of the session; empty: none
    std::vector<model::Tag> tags;
    std::vector<std::string> transitive_tag_keys;
};

struct AssumedRole {
    SessionKeys keys;
    std::string arn;
    std::string id;  // "ROLE-ID:SESSION"
    std::optional<std::int32_t>
        policy_percent;  // how much of what policy and tags may have is used
};

class TemporaryKeys {
  public:
    TemporaryKeys(catalog::Store& store, Sessions& sessions) : store_(store), sessions_(sessions) {}

    // AccessDenied also for a role that does not exist: who may not take it learns nothing.
    Result<AssumedRole> assume_role(const Caller& caller, const AssumeRoleInput& input);
    // AccessDenied for the caller of a session.
    Result<SessionKeys> session_token(const Caller& caller, std::optional<std::int32_t> seconds);
    // The account of a key; AccessDenied for one that is not known here.
    Result<model::AccountId> account_of(const std::string& access_key_id);

  private:
    catalog::Store& store_;
    Sessions& sessions_;
};

}  // namespace kiln::control
