// SPDX-License-Identifier: Apache-2.0
// The seeds of the fuzz targets, and every prefix of them, as a plain test.
#include <doctest/doctest.h>

#include <filesystem>

#include "util/fs.h"

#define LLVMFuzzerTestOneInput sigv4_fuzz
#include "net/fuzz/sigv4_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput aws_config_fuzz
#include "net/fuzz/aws_config_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput http_message_fuzz
#include "net/fuzz/http_message_fuzz.cpp"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput backup_stream_fuzz
#include "net/fuzz/backup_stream_fuzz.cpp"
#undef LLVMFuzzerTestOneInput

namespace {

int run_corpus(const std::string& name, int (*target)(const std::uint8_t*, std::size_t)) {
    const std::string here = __FILE__;
    const std::string folder = here.substr(0, here.rfind("/tests/")) + "/fuzz/corpus/" + name;
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const kiln::Result<std::string> seed = kiln::read_file(entry.path().string());
        REQUIRE(seed.has_value());
        const kiln::ByteView bytes = kiln::as_bytes(*seed);
        for (std::size_t size = 0; size <= bytes.size(); ++size) {
            CHECK(target(bytes.data(), size) == 0);
        }
        ++files;
    }
    return files;
}

}  // namespace

TEST_CASE("the signature fuzz target takes its seeds and all their prefixes") {
    CHECK(run_corpus("sigv4", sigv4_fuzz) >= 5);
}

TEST_CASE("the configuration fuzz target takes its seeds and all their prefixes") {
    CHECK(run_corpus("aws_config", aws_config_fuzz) >= 5);
}

TEST_CASE("the HTTP message fuzz target takes its seeds and all their prefixes") {
    CHECK(run_corpus("http_message", http_message_fuzz) >= 5);
}

TEST_CASE("the backup fuzz target takes its seeds and all their prefixes") {
    CHECK(run_corpus("backup_stream", backup_stream_fuzz) >= 5);
}
