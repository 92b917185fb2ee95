// SPDX-License-Identifier: Apache-2.0
// KeyPair: the public half of an SSH key under a name (KP-1 .. KP-8). The private half is never
// kept: the answer that creates a pair is the only place it ever appears in.
//
// A name is unique per owner and region. Instances keep a copy of the public key they were launched
// with, so deleting a pair changes nothing for them. Thread model: plain values.
#pragma once

#include <string>

#include "model/ids.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class KeyType { rsa, ed25519 };
constexpr auto enum_names(KeyType) {
    return std::to_array<EnumName<KeyType>>({{KeyType::rsa, "rsa"}, {KeyType::ed25519, "ed25519"}});
}

struct KeyPair {
    KeyPairId id;
    AccountId owner_id;
    std::string region;
    std::string name;
    KeyType type = KeyType::rsa;
    std::string fingerprint;  // KP-3: as EC2 prints it
    std::string public_key;   // "ssh-rsa AAAA...": algorithm and key, no comment
    UnixMillis created;
    friend bool operator==(const KeyPair&, const KeyPair&) = default;
};

}  // namespace kiln::model
