// SPDX-License-Identifier: Apache-2.0
#include "compute/uefi/variable_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compute/uefi/certificate_list.h"
#include "util/check.h"

namespace kiln::compute {
namespace {

// FFF12B8D-7696-4C8B-A985-2747075B4F50
constexpr UefiGuid kVolume{0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c,
                           0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50};
// AAF32C78-947B-439A-A180-2E144EC37792
constexpr UefiGuid kAuthenticatedStore{0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
                                       0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};
constexpr std::uint32_t kVolumeSignature = 0x4856465f;  // "_FVH"
constexpr std::size_t kVolumeHead = 56;                 // the fixed part; block maps follow
constexpr std::size_t kStoreHead = 28;
constexpr std::uint8_t kStoreFormatted = 0x5a;
constexpr std::uint8_t kStoreHealthy = 0xfe;

constexpr std::uint16_t kVariableStart = 0x55aa;
constexpr std::size_t kVariableHead = 60;
// Erased flash is all ones, and each step of a variable's life clears one bit of its state.
constexpr std::uint8_t kAdded = 0x3f;
constexpr std::uint8_t kBeingReplaced = 0x3e;  // counts until its successor is added
constexpr std::uint8_t kErased = 0xff;
constexpr std::uint32_t kUnwritten = 0xffffffff;

struct Area {
    std::size_t begin = 0;
    std::size_t end = 0;
};

Error damaged(std::string_view what) {
    return Error(Code::data_loss, "the store of UEFI variables " + std::string(what));
}

std::size_t aligned(std::size_t at) {
    return (at + 3) & ~std::size_t{3};
}

bool same(ByteView bytes, const UefiGuid& guid) {
    return std::equal(bytes.begin(), bytes.end(), guid.begin(), guid.end());
}

std::uint16_t sum16(ByteView words) {
    std::uint16_t sum = 0;
    for (std::size_t at = 0; at + 1 < words.size(); at += 2) {
        sum = static_cast<std::uint16_t>(sum + get_le<std::uint16_t>(words.data() + at));
    }
    return sum;
}

// Where the variables lie in the file.
Result<Area> find_area(ByteView file) {
    ByteReader volume(file);
    volume.bytes(16);  // the reset vector
    const bool of_variables = same(volume.bytes(16), kVolume);
    const auto bytes = volume.le<std::uint64_t>();
    const auto signature = volume.le<std::uint32_t>();
    volume.le<std::uint32_t>();  // attributes
    const std::size_t head = volume.le<std::uint16_t>();
    if (!volume.ok() || !of_variables || signature != kVolumeSignature) {
        return damaged("does not begin as one of EDK II");
    }
    if (head < kVolumeHead || head % 2 != 0 || bytes > file.size() || head + kStoreHead > bytes) {
        return damaged("tells lengths that it does not have");
    }
    if (sum16(file.first(head)) != 0) {
        return damaged("has a damaged header");
    }
    ByteReader store(file.subspan(head, kStoreHead));
    const bool authenticated = same(store.bytes(16), kAuthenticatedStore);
    const std::size_t store_bytes = store.le<std::uint32_t>();
    const auto format = store.le<std::uint8_t>();
    const auto state = store.le<std::uint8_t>();
    if (!authenticated || format != kStoreFormatted || state != kStoreHealthy) {
        return damaged("is not of the authenticated form, or not in order");
    }
    const Area area{aligned(head + kStoreHead), head + store_bytes};
    if (store_bytes > bytes - head || area.begin > area.end) {
        return damaged("tells lengths that it does not have");
    }
    return area;
}

struct Entry {
    std::uint8_t state = kErased;
    UefiVariable variable;  // without a name
    ByteView name;
    std::size_t bytes = 0;
};

Result<Entry> read_entry(ByteView rest) {
    Entry entry;
    ByteReader reader(rest);
    reader.le<std::uint16_t>();  // the start
    entry.state = reader.le<std::uint8_t>();
    reader.le<std::uint8_t>();
    entry.variable.attributes = reader.le<std::uint32_t>();
    reader.le<std::uint64_t>();  // monotonic count
    const ByteView timestamp = reader.bytes(16);
    reader.le<std::uint32_t>();  // the public key's index
    const auto name_bytes = reader.le<std::uint32_t>();
    const auto data_bytes = reader.le<std::uint32_t>();
    const ByteView vendor = reader.bytes(16);
    std::copy(vendor.begin(), vendor.end(), entry.variable.vendor.begin());
    if ((entry.variable.attributes & kUefiTimeAuthenticated) != 0) {
        std::copy(timestamp.begin(), timestamp.end(), entry.variable.timestamp.begin());
    }
    // A header that the firmware was stopped in: it goes on right behind it.
    if (entry.state != kErased && entry.variable.attributes != kUnwritten &&
        name_bytes != kUnwritten && data_bytes != kUnwritten) {
        entry.name = reader.bytes(name_bytes);
        const ByteView data = reader.bytes(data_bytes);
        entry.variable.data.assign(data.begin(), data.end());
    }
    if (!reader.ok()) {
        return damaged("ends within a variable");
    }
    entry.bytes = reader.position();
    return entry;
}

Result<std::string> read_name(ByteView bytes) {
    std::u16string units = read_units(bytes);
    if (bytes.size() % 2 != 0 || units.empty() || units.back() != 0) {
        return damaged("has a variable whose name has no end");
    }
    units.pop_back();
    auto name = uefi_name(units);
    if (!name) {
        return damaged("has a variable whose name is none: " + name.error().message());
    }
    return name;
}

void write_entry(ByteWriter& writer, const UefiVariable& variable) {
    const auto units = uefi_name_units(variable.name);
    INVARIANT(units);
    writer.le(kVariableStart).le(kAdded).le<std::uint8_t>(0).le(variable.attributes);
    writer.le<std::uint64_t>(0).bytes(variable.timestamp).le<std::uint32_t>(0);
    writer.le(static_cast<std::uint32_t>(2 * (units->size() + 1)));
    writer.le(static_cast<std::uint32_t>(variable.data.size())).bytes(variable.vendor);
    write_units(writer, *units);
    writer.le<std::uint16_t>(0).bytes(variable.data);
}

}  // namespace

Result<UefiVariables> read_variable_store(ByteView file) {
    TRY_ASSIGN(const Area area, find_area(file));
    UefiVariables variables;
    std::map<std::pair<std::string, UefiGuid>, std::pair<std::size_t, std::uint8_t>> found;
    for (std::size_t at = area.begin; at < area.end && area.end - at >= kVariableHead;) {
        const ByteView rest = file.subspan(at, area.end - at);
        if (get_le<std::uint16_t>(rest.data()) != kVariableStart) {
            break;
        }
        TRY_ASSIGN(Entry entry, read_entry(rest));
        at += aligned(entry.bytes);
        const bool counts = entry.state == kAdded || entry.state == kBeingReplaced;
        if (!counts || (entry.variable.attributes & kUefiNonVolatile) == 0) {
            continue;
        }
        TRY_ASSIGN(entry.variable.name, read_name(entry.name));
        const auto known = found.emplace(std::pair(entry.variable.name, entry.variable.vendor),
                                         std::pair(variables.size(), entry.state));
        auto& [index, state] = known.first->second;
        if (known.second) {
            variables.push_back(std::move(entry.variable));
        } else if (state == kBeingReplaced) {
            variables[index] = std::move(entry.variable);
            state = entry.state;
        }
    }
    TRY(take_certificates(variables));
    return variables;
}

Result<std::string> make_variable_store(ByteView pristine, const UefiVariables& variables) {
    TRY_ASSIGN(const Area area, find_area(pristine), "the firmware's template");
    TRY(check_uefi_names(variables));
    Bytes entries;
    ByteWriter writer(entries);
    for (const UefiVariable& variable : with_certificates(variables)) {
        if ((variable.attributes & kUefiNonVolatile) != 0) {
            entries.resize(aligned(entries.size()), kErased);
            write_entry(writer, variable);
        }
    }
    if (entries.size() > area.end - area.begin) {
        return Error(Code::invalid_argument,
                     fmt::format("the UEFI variables take {} bytes, and the firmware's store has "
                                 "room for {}",
                                 entries.size(), area.end - area.begin));
    }
    std::string store(as_text(pristine));
    const auto end = std::copy(entries.begin(), entries.end(),
                               store.begin() + static_cast<std::ptrdiff_t>(area.begin));
    std::fill(end, store.begin() + static_cast<std::ptrdiff_t>(area.end),
              static_cast<char>(kErased));
    return store;
}

}  // namespace kiln::compute
