// SPDX-License-Identifier: Apache-2.0
// The form in which EC2 takes and gives UEFI variables: UefiData of RegisterImage,
// GetInstanceUefiData and DescribeImageAttribute (docs/uefi.md). It is the Base64 of a
// magic, a crc32c, a version and a zlib stream, which mostly was packed with EC2's dictionary.
//
// What is decoded came from outside: every length is checked, and no more than kMaxUefiEntryBytes
// are unpacked. Errors: invalid_argument, with what is wrong in words. Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "compute/uefi/variables.h"

namespace kiln::compute {

inline constexpr std::size_t kMaxUefiEntryBytes = 1U << 20;

Result<UefiVariables> decode_uefi_data(std::string_view base64);
// Packed with the dictionary. unsupported for more than can be decoded again.
Result<std::string> encode_uefi_data(const UefiVariables& variables);

// What is in the stream.
Result<UefiVariables> decode_uefi_entries(ByteView entries);
Bytes encode_uefi_entries(const UefiVariables& variables);

// The dictionary of version 0, a file of AWS's (aws_dictionary.cpp).
const Bytes& uefi_data_dictionary();

}  // namespace kiln::compute
