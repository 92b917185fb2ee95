// SPDX-License-Identifier: Apache-2.0
// UEFI variables in the firmware's own store, as EDK II leaves it and damaged in each way.
#include <doctest/doctest.h>

#include <functional>

#include "compute/tests/uefi_samples.h"
#include "compute/tests/uefi_store_support.h"
#include "compute/uefi/aws_data.h"
#include "compute/uefi/certificate_list.h"
#include "compute/uefi/variable_store.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

constexpr std::size_t kHead = 60;  // of a variable

Bytes pristine(std::size_t room = 2048) {
    return empty_store(room);
}

Bytes store_of(const UefiVariables& variables) {
    const std::string made = value_of(make_variable_store(pristine(), variables));
    const ByteView bytes = as_bytes(made);
    return {bytes.begin(), bytes.end()};
}

// Where the variable that follows the one at `at` stands.
std::size_t behind(const Bytes& file, std::size_t at) {
    const std::size_t bytes = kHead + get_le<std::uint32_t>(file.data() + at + 36) +
                              get_le<std::uint32_t>(file.data() + at + 40);
    return at + (bytes + 3) / 4 * 4;
}

void set_state(Bytes& file, std::size_t at, std::uint8_t state) {
    file[at + 2] = state;
}

std::string refusal(const Bytes& file) {
    const auto variables = read_variable_store(file);
    REQUIRE_FALSE(variables);
    CHECK(variables.error().code() == Code::data_loss);
    return variables.error().message();
}

bool says(const std::string& message, std::string_view words) {
    return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("BM-2: EC2's form becomes the store that virt-fw-vars makes of it") {
    const UefiVariables variables = value_of(decode_uefi_data(kGoldenData));
    const Bytes area = value_of(base64_decode(kGoldenArea));
    Bytes expected = pristine();
    std::copy(area.begin(), area.end(), expected.begin() + kArea);
    CHECK(store_of(variables) == expected);
    CHECK(value_of(read_variable_store(expected)) == variables);
}

TEST_CASE("BM-2: the variables of a template give way, what is behind them stays") {
    const Bytes before = store_of({sample("old", "data")});
    const std::string made = value_of(make_variable_store(before, {sample("n", "")}));
    CHECK(value_of(read_variable_store(as_bytes(made))) == UefiVariables{sample("n", "")});
    Bytes expected = store_of({sample("n", "")});
    CHECK(as_text(expected) == made);
    CHECK(value_of(read_variable_store(pristine())).empty());
    CHECK(value_of(make_variable_store(pristine(), {})) == as_text(pristine()));
}

TEST_CASE("volatile variables are not in a store") {
    UefiVariable passing = sample("SetupMode", "1");
    passing.attributes = kUefiBootService | kUefiRuntime;
    const UefiVariable lasting = sample("lasting", "1");
    CHECK(store_of({passing, lasting}) == store_of({lasting}));
    Bytes file = store_of({sample("SetupMode", "1"), lasting});
    file[kArea + 4] = 6;
    CHECK(value_of(read_variable_store(file)) == UefiVariables{lasting});
}

TEST_CASE("BM-2: of a variable that is being replaced one value counts") {
    const UefiVariable other = sample("other", "x");
    // Both under one name, which the firmware alone writes.
    Bytes file = store_of({sample("v1", "old"), other, sample("v2", "new")});
    const std::size_t second = behind(file, behind(file, kArea));
    file[second + kHead + 2] = '1';
    const UefiVariable before = sample("v1", "old");
    const UefiVariable after = sample("v1", "new");
    const auto read = [&](std::uint8_t first_state, std::uint8_t second_state) {
        set_state(file, kArea, first_state);
        set_state(file, second, second_state);
        return value_of(read_variable_store(file));
    };
    CHECK(read(0x3e, 0x7f) == UefiVariables{before, other});  // its data is not written yet
    CHECK(read(0x3e, 0x3f) == UefiVariables{after, other});
    CHECK(read(0x3f, 0x3e) == UefiVariables{before, other});
    CHECK(read(0x3c, 0x3f) == UefiVariables{other, after});
    CHECK(read(0x3e, 0x3c) == UefiVariables{before, other});
    CHECK(read(0x3c, 0x3d) == UefiVariables{other});
    CHECK(read(0x3f, 0x3f) == UefiVariables{before, other});  // as the firmware finds it
}

TEST_CASE("a header that the firmware was stopped in takes no more than itself") {
    const UefiVariable last = sample("last", "x");
    Bytes file = store_of({sample("ab", ""), last});
    REQUIRE(behind(file, kArea) == kArea + kHead + 8);
    // Sixty bytes of a header, and behind it a whole variable.
    Bytes stopped(file.begin(), file.begin() + kArea);
    stopped.insert(stopped.end(), {0xaa, 0x55});
    stopped.resize(kArea + kHead, 0xff);
    stopped.insert(stopped.end(), file.begin() + kArea + kHead + 8, file.end());
    stopped.insert(stopped.begin() + kArea + kHead + 200, 8, 0xff);
    CHECK(value_of(read_variable_store(stopped)) == UefiVariables{last});
    // A name's length without one of its data.
    stopped[kArea + 2] = 0x7f;
    put_le<std::uint32_t>(stopped.data() + kArea + 36, 4);
    CHECK(value_of(read_variable_store(stopped)) == UefiVariables{last});
}

TEST_CASE("BM-2: a damaged store is never read as another") {
    const Bytes file = store_of({sample("name", "data")});
    const auto with = [&](const std::function<void(Bytes&)>& damage, bool summed = true) {
        Bytes changed = file;
        damage(changed);
        if (summed) {
            sum(changed);
        }
        return refusal(changed);
    };
    CHECK(says(refusal({}), "does not begin"));
    CHECK(says(refusal(Bytes(file.begin(), file.begin() + 40)), "does not begin"));
    CHECK(says(refusal(Bytes(file.begin(), file.end() - 1)), "lengths"));
    CHECK(says(refusal(Bytes(file.size(), 0xff)), "does not begin"));
    CHECK(says(with([](Bytes& b) { b[16] ^= 1; }), "does not begin"));
    CHECK(says(with([](Bytes& b) { b[40] ^= 1; }), "does not begin"));
    CHECK(says(with([](Bytes& b) { b[44] ^= 1; }, false), "damaged header"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint64_t>(b.data() + 32, ~0ULL); }), "lengths"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint64_t>(b.data() + 32, 80); }), "lengths"));
    for (const std::uint16_t head : {0, 54, 73, 0xfffe}) {
        CHECK(says(with([&](Bytes& b) { put_le(b.data() + 48, head); }, false), "lengths"));
    }
    CHECK(says(with([](Bytes& b) { b[kVolumeHead] ^= 1; }), "authenticated form"));
    CHECK(says(with([](Bytes& b) { b[kVolumeHead + 20] = 0xff; }), "authenticated form"));
    CHECK(says(with([](Bytes& b) { b[kVolumeHead + 21] = 0xff; }), "authenticated form"));
    for (const std::uint32_t bytes : {0U, 27U, 4000U, ~0U}) {
        CHECK(says(with([&](Bytes& b) { put_le(b.data() + kVolumeHead + 16, bytes); }), "lengths"));
    }
    for (const std::size_t length : {std::size_t{36}, std::size_t{40}}) {
        for (const std::uint32_t bytes : {3000U, ~0U - 1}) {
            CHECK(says(with([&](Bytes& b) { put_le(b.data() + kArea + length, bytes); }),
                       "ends within"));
        }
    }
    CHECK(says(with([](Bytes& b) { b[kArea + kHead + 8] = 'x'; }), "no end"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint32_t>(b.data() + kArea + 36, 9); }), "no end"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint32_t>(b.data() + kArea + 36, 0); }), "no end"));
    CHECK(says(with([](Bytes& b) { b[kArea + kHead] = 0; }), "zero"));
    CHECK(says(with([](Bytes& b) { b[kArea + kHead + 1] = 0xd8; }), "half a character"));
    // Of what does not count nothing but the lengths is looked at.
    Bytes gone = file;
    gone[kArea + kHead] = 0;
    set_state(gone, kArea, 0x3d);
    CHECK(value_of(read_variable_store(gone)).empty());
}

TEST_CASE("BM-2: what has no room in the firmware's store is refused") {
    const UefiVariables variables{sample("ab", "12345"), sample("c", "123")};
    const std::size_t bytes = (kHead + 6 + 5 + 1) + (kHead + 4 + 3);
    REQUIRE(value_of(read_variable_store(
                as_bytes(value_of(make_variable_store(pristine(bytes), variables))))) == variables);
    const auto refused = make_variable_store(pristine(bytes - 1), variables);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::invalid_argument);
    CHECK(says(refused.error().message(), "has room for " + std::to_string(bytes - 1)));
    CHECK_FALSE(make_variable_store(Bytes(4096, 0xff), variables));
    CHECK_FALSE(make_variable_store(pristine(), {sample("twice", ""), sample("twice", "")}));
    CHECK_FALSE(make_variable_store(pristine(), {sample("", "")}));
}

TEST_CASE("BM-2: the certificates that variables are bound to come through") {
    const UefiVariables variables{sample("plain", "x"), signed_sample("first", "digest 1"),
                                  signed_sample("unbound", ""), signed_sample("second", "2")};
    CHECK(value_of(read_variable_store(store_of(variables))) == variables);

    const UefiVariables stored = with_certificates(variables);
    REQUIRE(stored.size() == 5);
    CHECK(stored[0].name == "certdb");
    CHECK(stored[0].attributes == 0x27);
    const std::size_t first = 28 + 10 + 8;
    REQUIRE(stored[0].data.size() == 4 + first + 28 + 12 + 1);
    CHECK(get_le<std::uint32_t>(stored[0].data.data()) == stored[0].data.size());
    CHECK(get_le<std::uint32_t>(stored[0].data.data() + 20) == first);
    // One that is there already gives way to it, and stays where no other is made.
    UefiVariables again = variables;
    again.push_back(stored[0]);
    CHECK(with_certificates(again) == stored);
    const UefiVariables alone{stored[0], sample("plain", "x")};
    CHECK(with_certificates(alone) == alone);

    const auto with = [&](const std::function<void(Bytes&)>& damage) {
        UefiVariables damaged = stored;
        damage(damaged[0].data);
        for (UefiVariable& variable : damaged) {
            variable.digest.clear();
        }
        return refusal(store_of(damaged));
    };
    CHECK(says(with([](Bytes& b) { b.clear(); }), "certificates"));
    CHECK(says(with([](Bytes& b) { b.pop_back(); }), "certificates"));
    CHECK(says(with([](Bytes& b) { b[20] ^= 1; }), "certificates"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint32_t>(b.data() + 24, ~0U); }), "certificates"));
    CHECK(says(with([](Bytes& b) { put_le<std::uint32_t>(b.data() + 28, ~0U); }), "certificates"));
    CHECK(says(with([](Bytes& b) { b[32] = b[33] = 0; }), "certificates"));
}
