// SPDX-License-Identifier: Apache-2.0
#include "control/sparse_copy.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/tests/test_service.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

TEST_CASE(
    "a copy has the bytes, the length and the holes of its file, and nothing of what was there") {
    TempDir dir;
    const std::string from = dir.path() + "/from";
    const std::string to = dir.path() + "/to";
    constexpr off_t kFar = 1 << 30;
    {
        const UniqueFd file(::open(from.c_str(), O_RDWR | O_CREAT, 0600));
        const std::string text(200'000, 'x');
        REQUIRE(::pwrite(file.get(), text.data(), text.size(), 0) == 200'000);
        REQUIRE(::pwrite(file.get(), "end", 3, kFar) == 3);
        REQUIRE(::ftruncate(file.get(), kFar + (1 << 20)) == 0);
    }
    REQUIRE(write_file_atomic(to, std::string(3 << 20, 'y')));
    REQUIRE(copy_sparse(from, to));
    struct stat info {};
    REQUIRE(::stat(to.c_str(), &info) == 0);
    CHECK(info.st_size == kFar + (1 << 20));
    CHECK(info.st_blocks * 512 < 1 << 20);
    const UniqueFd file(::open(to.c_str(), O_RDONLY));
    std::string got(200'000, '\0');
    REQUIRE(::pread(file.get(), got.data(), got.size(), 0) == 200'000);
    CHECK(got == std::string(200'000, 'x'));
    CHECK(::pread(file.get(), got.data(), 5, 1 << 20) == 5);
    CHECK(got.substr(0, 5) == std::string(5, '\0'));
    CHECK(::pread(file.get(), got.data(), 3, kFar) == 3);
    CHECK(got.substr(0, 3) == "end");
}

TEST_CASE("what is not there is not copied, and leaves the copy alone") {
    TempDir dir;
    REQUIRE(write_file_atomic(dir.path() + "/to", "kept"));
    CHECK(copy_sparse(dir.path() + "/none", dir.path() + "/to").error().code() == Code::not_found);
    CHECK(*read_file(dir.path() + "/to") == "kept");
    REQUIRE(write_file_atomic(dir.path() + "/empty", ""));
    CHECK(copy_sparse(dir.path() + "/empty", dir.path() + "/to"));
    CHECK(read_file(dir.path() + "/to")->empty());
}
