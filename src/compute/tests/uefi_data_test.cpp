// SPDX-License-Identifier: Apache-2.0
// UEFI variables in EC2's form, as its tools write it and damaged in each way.
#include <doctest/doctest.h>
#include <zlib.h>

#include "compute/tests/uefi_samples.h"
#include "compute/uefi/aws_data.h"
#include "util/crc32c.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

constexpr std::size_t kHeader = 16;

// As zlib packs it by itself; with `dictionary`, if that is not empty.
Bytes packed(ByteView plain, std::string_view dictionary = {}) {
    z_stream stream{};
    REQUIRE(deflateInit(&stream, 9) == Z_OK);
    if (!dictionary.empty()) {
        const ByteView bytes = as_bytes(dictionary);
        REQUIRE(deflateSetDictionary(&stream, bytes.data(), static_cast<uInt>(bytes.size())) ==
                Z_OK);
    }
    Bytes out(deflateBound(&stream, static_cast<uLong>(plain.size())));
    stream.next_in = const_cast<Bytef*>(plain.data());
    stream.avail_in = static_cast<uInt>(plain.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

// What stands behind the check sum, with a right one.
std::string sealed(ByteView stream, std::uint32_t version = 0) {
    Bytes summed;
    ByteWriter(summed).le(version).bytes(stream);
    Bytes all;
    ByteWriter(all).bytes(as_bytes("AMZNUEFI")).le(crc32c(summed)).bytes(summed);
    return base64_encode(all);
}

std::string refusal(std::string_view text) {
    const auto variables = decode_uefi_data(text);
    REQUIRE_FALSE(variables);
    CHECK(variables.error().code() == Code::invalid_argument);
    return variables.error().message();
}

std::string entries_refusal(const Bytes& entries) {
    const auto variables = decode_uefi_entries(entries);
    REQUIRE_FALSE(variables);
    CHECK(variables.error().code() == Code::invalid_argument);
    return variables.error().message();
}

bool says(const std::string& message, std::string_view words) {
    return message.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("BM-2: what virt-fw-vars wrote is read") {
    const auto variables = decode_uefi_data(kGoldenData);
    REQUIRE_MESSAGE(variables, variables.error().to_string());
    REQUIRE(variables->size() == 4);
    CHECK((*variables)[0].name == "Boot0000");
    CHECK((*variables)[0].data.size() == 92);
    CHECK((*variables)[1].name == "BootOrder");
    CHECK((*variables)[1].attributes == 7);
    CHECK((*variables)[1].data == Bytes{0, 0});
    CHECK(hex_encode((*variables)[1].vendor) == "61dfe48bca93d211aa0d00e098032b8c");
    CHECK((*variables)[1].timestamp == UefiTime{});
    CHECK((*variables)[2].name == "SecureBootEnable");
    CHECK((*variables)[2].data == Bytes{1});
    CHECK((*variables)[3].name == "dbx");
    CHECK((*variables)[3].attributes == 0x27);
    CHECK(hex_encode((*variables)[3].timestamp) == "ea070b171438280078dec42500000000");
    CHECK((*variables)[3].digest.empty());
    CHECK((*variables)[3].data.size() == 76);
}

TEST_CASE("the dictionary is EC2's, byte for byte") {
    const Bytes& dictionary = uefi_data_dictionary();
    CHECK(dictionary.size() == 11381);
    // What streams that are packed with it ask for.
    CHECK(::adler32(::adler32(0, nullptr, 0), dictionary.data(),
                    static_cast<uInt>(dictionary.size())) == 0x6bb7d9f7);
}

TEST_CASE("BM-2: variables in EC2's form come back the same, packed with its dictionary") {
    UefiVariables variables{sample("plain", "data"), sample("empty", ""),
                            sample("\xe2\x82\xac\xf0\x9f\x92\xa1", "unusual name"),
                            signed_sample("unbound", ""), signed_sample("bound", "d1")};
    variables.push_back(sample("plain", "of another vendor"));
    variables.back().vendor[15] = 1;
    const auto text = encode_uefi_data(variables);
    REQUIRE(text);
    CHECK(value_of(decode_uefi_data(*text)) == variables);
    const auto bytes = base64_decode(*text);
    REQUIRE(bytes);
    CHECK(((*bytes)[kHeader + 1] & 0x20U) != 0);  // FDICT of RFC 1950
    CHECK(get_be<std::uint32_t>(bytes->data() + kHeader + 2) == 0x6bb7d9f7);

    const auto none = encode_uefi_data({});
    REQUIRE(none);
    CHECK(value_of(decode_uefi_data(*none)) == UefiVariables{});
}

TEST_CASE("a stream that was packed without a dictionary is read too") {
    const UefiVariables variables{sample("plain", "data")};
    CHECK(value_of(decode_uefi_data(sealed(packed(encode_uefi_entries(variables))))) == variables);
}

TEST_CASE("a digest of zeros and one without length mean that there is none") {
    const UefiVariables variables{signed_sample("unbound", "")};
    Bytes entries = encode_uefi_entries(variables);
    REQUIRE(get_le<std::uint64_t>(entries.data() + entries.size() - 40) == 32);
    entries.resize(entries.size() - 32);
    put_le<std::uint64_t>(entries.data() + entries.size() - 8, 0);
    CHECK(value_of(decode_uefi_entries(entries)) == variables);
}

TEST_CASE("RI-11: damaged UEFI data is refused with what is wrong") {
    const Bytes entries = encode_uefi_entries({sample("plain", "data")});
    Bytes stream = packed(entries);
    const auto whole = base64_decode(kGoldenData);
    REQUIRE(whole);
    CHECK(says(refusal("@@@@"), "Base64"));
    CHECK(says(refusal("AAA"), "Base64"));
    CHECK(says(refusal(""), "AMZNUEFI"));
    CHECK(says(refusal("AAAA"), "AMZNUEFI"));
    CHECK(says(refusal(base64_encode(ByteView(*whole).first(kHeader - 1))), "AMZNUEFI"));
    for (const std::size_t at : {std::size_t{8}, std::size_t{12}, kHeader, whole->size() - 1}) {
        Bytes changed = *whole;
        changed[at] ^= 1;
        CHECK(says(refusal(base64_encode(changed)), "check sum"));
    }
    CHECK(says(refusal(sealed(stream, 1)), "version 1"));
    for (std::size_t size = 0; size < stream.size(); ++size) {
        CHECK(says(refusal(sealed(ByteView(stream).first(size))), "no whole zlib stream"));
    }
    CHECK(says(refusal(sealed(packed(entries, "another"))), "dictionary"));
    stream.back() ^= 1;  // zlib's own check sum
    CHECK(says(refusal(sealed(stream)), "no whole zlib stream"));
    stream.back() ^= 1;
    stream.push_back(0);
    CHECK(says(refusal(sealed(stream)), "behind its end"));
}

TEST_CASE("RI-11: no more is unpacked than variables may take") {
    const std::string bomb = sealed(packed(Bytes(kMaxUefiEntryBytes * 8, 0)));
    CHECK(bomb.size() < 64'000);
    CHECK(says(refusal(bomb), "unpacks to more"));
    const auto large = encode_uefi_data({sample("large", std::string(kMaxUefiEntryBytes, 'x'))});
    REQUIRE_FALSE(large);
    CHECK(large.error().code() == Code::unsupported);
}

TEST_CASE("RI-11: entries are counted, have their lengths, and names of their own") {
    const Bytes entries = encode_uefi_entries({sample("plain", "data"), signed_sample("s", "d1")});
    REQUIRE(decode_uefi_entries(entries));
    for (std::size_t size = 0; size < entries.size(); ++size) {
        CHECK(says(entries_refusal(
                       Bytes(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(size))),
                   "ends within"));
    }
    Bytes changed = entries;
    changed.push_back(0);
    CHECK(says(entries_refusal(changed), "more than"));
    for (const std::uint64_t count : {3ULL, ~0ULL}) {
        changed = entries;
        put_le<std::uint64_t>(changed.data(), count);
        CHECK(says(entries_refusal(changed), "ends within"));
    }
    changed = entries;
    put_le<std::uint64_t>(changed.data(), 1);
    CHECK(says(entries_refusal(changed), "more than"));
    for (const std::uint64_t length : {~0ULL, 1ULL << 63, ~0ULL - 15}) {
        changed = entries;
        put_le<std::uint64_t>(changed.data() + 8, length);  // of the first name
        CHECK(says(entries_refusal(changed), "ends within"));
    }
    CHECK(says(entries_refusal(encode_uefi_entries({sample("", "x")})), "empty"));
    CHECK(says(entries_refusal(encode_uefi_entries({sample("\xff", "x")})), "UTF-8"));
    CHECK(says(entries_refusal(encode_uefi_entries({sample("twice", "x"), sample("twice", "y")})),
               "twice is there twice"));
}

TEST_CASE("names of variables are UTF-8 here and UTF-16 there") {
    const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xa1";
    const auto units = uefi_name_units(text);
    REQUIRE(units);
    CHECK(*units == std::u16string(u"a\u00e9\u20ac\U0001f4a1"));
    CHECK(value_of(uefi_name(*units)) == text);
    for (const std::string_view wrong :
         {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80",
          "\xe2\x82", "\x80", "\xc3(", "\xf0\x9f\x92"}) {
        CHECK_FALSE(uefi_name_units(wrong));
    }
    CHECK_FALSE(uefi_name_units(std::string_view("a\0b", 3)));
    const std::u16string half{static_cast<char16_t>(0xd83d)};
    const std::u16string other_half{static_cast<char16_t>(0xdca1)};
    CHECK_FALSE(uefi_name(half));
    CHECK_FALSE(uefi_name(other_half));
    CHECK_FALSE(uefi_name(half + u"a"));
    CHECK_FALSE(uefi_name(std::u16string(1, u'\0')));
    CHECK_FALSE(uefi_name(std::u16string()));
}
