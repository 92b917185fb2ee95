// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include "util/bytes.h"
#include "util/crc32c.h"
#include "util/encoding.h"
#include "util/executor.h"
#include "util/fs.h"
#include "util/result.h"
#include "util/strings.h"
#include "util/time.h"

using namespace kiln;

namespace {
Result<int> half(int n) {
    if (n % 2 != 0) {
        return Error(Code::invalid_argument, "odd");
    }
    return n / 2;
}
Result<int> quarter(int n) {
    TRY_ASSIGN(const int h, half(n), "first half");
    TRY_ASSIGN(const int q, half(h));
    return q;
}
Status check_even(int n) {
    TRY(half(n), "checking");
    return ok();
}
}  // namespace

TEST_CASE("TRY passes values through and adds context to errors") {
    CHECK(*quarter(8) == 2);
    CHECK(quarter(7).error().message() == "first half: odd");
    CHECK(quarter(6).error().message() == "odd");
    CHECK(check_even(3).error().message() == "checking: odd");
    CHECK(check_even(4).has_value());
}

TEST_CASE("an API error keeps its message when context is added") {
    Error error = Error::api(Code::not_found, "InvalidAMIID.NotFound",
                             "The image id '[ami-1]' does not exist");
    CHECK(std::move(error).with("launch").message() == "The image id '[ami-1]' does not exist");
}

TEST_CASE("crc32c gives the published check values") {
    CHECK(crc32c(as_bytes("123456789")) == 0xE3069283U);
    CHECK(crc32c(as_bytes("6789"), crc32c(as_bytes("12345"))) == 0xE3069283U);
    CHECK(crc32c(Bytes(32, 0)) == 0x8A9136AAU);
    // Of any length in one piece as in two.
    Bytes bytes(20'000);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 3);
    }
    const ByteView all(bytes);
    for (const std::size_t length : {4079U, 4080U, 4081U, 4096U, 8159U, 8160U, 12'251U, 20'000U}) {
        CAPTURE(length);
        std::uint32_t by_bytes = 0;
        for (std::size_t i = 0; i < length; ++i) {
            by_bytes = crc32c(all.subspan(i, 1), by_bytes);
        }
        CHECK(crc32c(all.first(length)) == by_bytes);
        CHECK(crc32c(all.subspan(1000, length - 1000), crc32c(all.first(1000))) == by_bytes);
    }
}

TEST_CASE("base64 round trips the vectors of RFC 4648 and refuses what is not base64") {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : vectors) {
        CHECK(base64_encode(as_bytes(plain)) == encoded);
        CHECK(as_text(*base64_decode(encoded)) == plain);
    }
    for (const char* bad : {"Zg=", "Z", "Zg==Zg==", "Z*==", "====", "Zm9v Zg=="}) {
        CHECK_MESSAGE(!base64_decode(bad), bad);
    }
    CHECK(as_text(*base64_decode("Zm9v\r\nYmFy\n")) == "foobar");
}

TEST_CASE("percent encoding keeps unreserved characters and refuses broken escapes") {
    CHECK(percent_encode("a b/~é") == "a%20b%2F~%C3%A9");
    CHECK(percent_encode("a/b", true) == "a/b");
    CHECK(*percent_decode("a%20b+c", true) == "a b c");
    CHECK(*percent_decode("a+b", false) == "a+b");
    CHECK(!percent_decode("%4", false));
    CHECK(!percent_decode("%zz", false));
}

TEST_CASE("TIME-1 TIME-4: times print with three fractional digits and parse with or without") {
    CHECK(format_iso8601(*parse_iso8601("2025-06-01T12:34:56Z")) == "2025-06-01T12:34:56.000Z");
    CHECK(format_iso8601(*parse_iso8601("2025-06-01T12:34:56.7+02:00")) ==
          "2025-06-01T10:34:56.700Z");
    CHECK(format_basic(*parse_basic("20150830T123600Z")) == "20150830T123600Z");
    for (const char* bad :
         {"", "2025-06-01", "2025-02-30T00:00:00Z", "2025-06-01T12:34:56", "2025-06-01T12:34:56.Z",
          "2025-06-01T12:34:56Zx", "2025-13-01T00:00:00Z"}) {
        CHECK_MESSAGE(!parse_iso8601(bad), bad);
    }
}

TEST_CASE("ByteReader never reads past the end and stays failed") {
    const Bytes data{1, 2, 3};
    ByteReader reader(data);
    CHECK(reader.le<std::uint16_t>() == 0x0201);
    CHECK(reader.le<std::uint32_t>() == 0);
    CHECK(!reader.ok());
    CHECK(reader.le<std::uint8_t>() == 0);
}

TEST_CASE("parse_int takes whole decimal numbers in range only") {
    CHECK(parse_int<int>("42") == 42);
    CHECK(!parse_int<int>("42x"));
    CHECK(!parse_int<int>(""));
    CHECK(!parse_int<std::uint8_t>("256"));
    CHECK(!parse_int<unsigned>("-1"));
}

TEST_CASE("a full executor refuses a task instead of blocking") {
    Executor executor("test", 1, 1);
    Mutex mutex;
    CondVar wake;
    bool started = false;
    bool release = false;
    REQUIRE(executor.submit([&] {
        MutexLock lock(mutex);
        started = true;
        wake.notify_all();
        while (!release) {
            wake.wait(lock);
        }
    }));
    {
        MutexLock lock(mutex);
        while (!started) {
            wake.wait(lock);
        }
    }
    CHECK(executor.submit([] {}).has_value());
    CHECK(executor.submit([] {}).error().code() == Code::resource_exhausted);
    {
        MutexLock lock(mutex);
        release = true;
    }
    wake.notify_all();
    executor.stop();
    CHECK(executor.submit([] {}).error().code() == Code::cancelled);
}

TEST_CASE("an atomic write replaces the whole file, and a lock excludes a second holder") {
    char directory[] = "/tmp/kiln-util-XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/a/b";
    REQUIRE(make_directories(std::string(directory) + "/a"));
    REQUIRE(write_file_atomic(path, "one"));
    REQUIRE(write_file_atomic(path, "two", 0600));
    CHECK(*read_file(path) == "two");
    CHECK(!read_file(path, 2));
    auto held = lock_file(path + ".lock");
    REQUIRE(held);
    CHECK(lock_file(path + ".lock").error().code() == Code::failed_precondition);
    held->reset();
    CHECK(lock_file(path + ".lock").has_value());
    REQUIRE(remove_file(path));
    REQUIRE(remove_file(path));
    REQUIRE(remove_file(path + ".lock"));
    ::rmdir((std::string(directory) + "/a").c_str());
    ::rmdir(directory);
}
