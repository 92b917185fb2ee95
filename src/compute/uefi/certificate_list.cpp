// SPDX-License-Identifier: Apache-2.0
#include "compute/uefi/certificate_list.h"

#include <algorithm>

#include "util/check.h"

namespace kiln::compute {
namespace {

constexpr std::string_view kListName = "certdb";
// D9BEE56E-75DC-49D9-B4D7-B534210F637A
constexpr UefiGuid kListVendor{0x6e, 0xe5, 0xbe, 0xd9, 0xdc, 0x75, 0xd9, 0x49,
                               0xb4, 0xd7, 0xb5, 0x34, 0x21, 0x0f, 0x63, 0x7a};
constexpr std::uint32_t kListAttributes =
    kUefiNonVolatile | kUefiBootService | kUefiRuntime | kUefiTimeAuthenticated;
// Vendor, the entry's bytes, the name's units, the digest's bytes; name and digest follow.
constexpr std::size_t kEntryHead = 28;

bool is_list(const UefiVariable& variable) {
    return variable.vendor == kListVendor && variable.name == kListName;
}

Error damaged() {
    return Error(Code::data_loss, "the list of certificates among the UEFI variables is damaged");
}

Status take_list(ByteView list, UefiVariables& variables) {
    ByteReader reader(list);
    if (reader.le<std::uint32_t>() != list.size()) {
        return damaged();
    }
    while (reader.remaining() != 0) {
        UefiGuid vendor{};
        const ByteView vendor_bytes = reader.bytes(vendor.size());
        std::copy(vendor_bytes.begin(), vendor_bytes.end(), vendor.begin());
        const std::uint64_t entry_bytes = reader.le<std::uint32_t>();
        const std::uint64_t name_units = reader.le<std::uint32_t>();
        const std::uint64_t digest_bytes = reader.le<std::uint32_t>();
        const auto text = uefi_name(read_units(reader.bytes(2 * name_units)));
        const ByteView digest = reader.bytes(digest_bytes);
        if (!reader.ok() || entry_bytes != kEntryHead + 2 * name_units + digest_bytes || !text) {
            return damaged();
        }
        for (UefiVariable& variable : variables) {
            if (variable.vendor == vendor && variable.name == *text &&
                (variable.attributes & kUefiTimeAuthenticated) != 0) {
                variable.digest.assign(digest.begin(), digest.end());
            }
        }
    }
    return reader.ok() ? ok() : Status(damaged());
}

}  // namespace

Status take_certificates(UefiVariables& variables) {
    const auto found = std::find_if(variables.begin(), variables.end(), is_list);
    if (found == variables.end()) {
        return ok();
    }
    const Bytes list = std::move(found->data);
    variables.erase(found);
    return take_list(list, variables);
}

UefiVariables with_certificates(const UefiVariables& variables) {
    Bytes list;
    ByteWriter writer(list);
    writer.le<std::uint32_t>(0);  // its length, once that is known
    const std::size_t empty = list.size();
    for (const UefiVariable& variable : variables) {
        if (variable.digest.empty() || is_list(variable)) {
            continue;
        }
        const auto units = uefi_name_units(variable.name);
        INVARIANT(units);
        const std::size_t bytes = kEntryHead + 2 * units->size() + variable.digest.size();
        writer.bytes(variable.vendor)
            .le(static_cast<std::uint32_t>(bytes))
            .le(static_cast<std::uint32_t>(units->size()))
            .le(static_cast<std::uint32_t>(variable.digest.size()));
        write_units(writer, *units);
        writer.bytes(variable.digest);
    }
    if (list.size() == empty) {
        return variables;
    }
    put_le(list.data(), static_cast<std::uint32_t>(list.size()));
    UefiVariables all;
    UefiVariable& first = all.emplace_back();
    first.name = kListName;
    first.vendor = kListVendor;
    first.attributes = kListAttributes;
    first.data = std::move(list);
    std::copy_if(variables.begin(), variables.end(), std::back_inserter(all),
                 [](const UefiVariable& variable) { return !is_list(variable); });
    return all;
}

}  // namespace kiln::compute
