// SPDX-License-Identifier: Apache-2.0
// UEFI variables for tests: made up ones, and some that virt-fw-vars 26.10 wrote. Thread model:
// pure functions.
#pragma once

#include <doctest/doctest.h>

#include "compute/uefi/variables.h"
#include "util/encoding.h"

namespace kiln::compute::testing {

// clang-format off
// A boot entry, BootOrder, SecureBootEnable and a dbx with one hash:
//   virt-fw-vars -i OVMF_VARS_4M.fd --append-boot-filepath '\EFI\BOOT\BOOTX64.EFI'
//       --set-true SecureBootEnable --add-dbx-hash GUID HASH --output-aws FILE
inline constexpr std::string_view kGoldenData =
    "QU1aTlVFRknAL/KRAAAAAHj5a7fZ92OBj9JBAGjQzQAIYpBmzEwY0hgywTOiCgxOQFv9GUKAzSYzoLgetEkEbPSwGDDE"
    "QHkxcFUxONWDanB0X7FDVyXA3OFflJJaxAQPDGzKYfPgkCFDkCbXvMSknFTYRB8j+pwvM3SxKAikJFXAZlJJmWEVFFRS"
    "MjZ2cQkNTUsrL+/oQOP/R+8OgLoRr9i5xUUsNBgq7h1RRY5gAHx2VY0=";
// The same as they stand in the firmware's store, in Base64.
inline constexpr std::string_view kGoldenArea =
    "qlU/AAcAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEgAAAFwAAABh3+SLypPSEaoNAOCYAyuMQgBvAG8AdAAw"
    "ADAAMAAwAAAAAQAAADQAZgBpAGwAZQAgAEIATwBPAFQAWAA2ADQALgBFAEYASQAAAAQEMABcAEUARgBJAFwAQgBPAE8A"
    "VABcAEIATwBPAFQAWAA2ADQALgBFAEYASQAAAH//BAD//6pVPwAHAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "ABQAAAACAAAAYd/ki8qT0hGqDQDgmAMrjEIAbwBvAHQATwByAGQAZQByAAAAAAD//6pVPwADAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAACIAAAABAAAAxwuj8AivVkWZxAAQCck6RFMAZQBjAHUAcgBlAEIAbwBvAHQARQBuAGEAYgBs"
    "AGUAAAAB/6pVPwAnAAAAAAAAAAAAAADqBwsXFDgoAHjexCUAAAAAAAAAAAgAAABMAAAAy7IZ1zo9lkWjvNrQDmdlb2QA"
    "YgB4AAAAJhbEwUxQkkCsqUH5NpNDKEwAAAAAAAAAMAAAAKOouqAdBKhIvIfDbRIbXj0RESIiMzNERFVVZmZ3d4iIEREi"
    "IjMzRERVVWZmd3eI/w==";
// clang-format on

// Fails the test when there is none.
template <class T>
T value_of(Result<T> result) {
    REQUIRE_MESSAGE(result, result.error().to_string());
    return std::move(*result);
}

inline UefiVariable sample(std::string name, std::string_view data) {
    UefiVariable variable;
    variable.name = std::move(name);
    variable.vendor = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
                       0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
    variable.attributes = kUefiNonVolatile | kUefiBootService | kUefiRuntime;
    const ByteView bytes = as_bytes(data);
    variable.data.assign(bytes.begin(), bytes.end());
    return variable;
}

inline UefiVariable signed_sample(std::string name, std::string_view digest) {
    UefiVariable variable = sample(std::move(name), "signed");
    variable.attributes |= kUefiTimeAuthenticated;
    variable.timestamp = {0xea, 0x07, 0x0b, 0x17, 0x14};
    const ByteView bytes = as_bytes(digest);
    variable.digest.assign(bytes.begin(), bytes.end());
    return variable;
}

}  // namespace kiln::compute::testing
