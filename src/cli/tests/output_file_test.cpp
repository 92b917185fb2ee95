// SPDX-License-Identifier: Apache-2.0
// Files that appear whole or not at all, also when a signal ends the process.
#include "cli/output_file.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "io/tests/support.h"

using namespace kiln;
using namespace kiln::cli;
using io::testing::TempDir;

namespace {

void put(const OutputFile& file, const std::string& text) {
    REQUIRE(::pwrite(file.fd(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("a file appears when it is committed, and not before") {
    TempDir dir;
    const std::string path = dir.path() + "/disk";
    InterruptGuard guard;
    {
        const auto file = OutputFile::create(path, false, guard);
        REQUIRE(file);
        put(**file, "whole");
        CHECK(!std::filesystem::exists(path));
        CHECK(std::filesystem::exists((*file)->part_path()));
        REQUIRE((*file)->commit());
    }
    CHECK(read_file(path).value() == "whole");
    CHECK(!std::filesystem::exists(path + ".part"));
}

TEST_CASE("a file that is not committed leaves nothing, and what a kill left is written anew") {
    TempDir dir;
    const std::string path = dir.path() + "/disk";
    REQUIRE(write_file_atomic(path + ".part", "left by a kill"));
    InterruptGuard guard;
    {
        const auto file = OutputFile::create(path, false, guard);
        REQUIRE(file);
        CHECK(read_file(path + ".part").value().empty());
    }
    CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a file that exists is replaced only when asked for, and never anything else") {
    TempDir dir;
    const std::string path = dir.path() + "/disk";
    REQUIRE(write_file_atomic(path, "mine"));
    InterruptGuard guard;
    CHECK(OutputFile::create(path, false, guard).error().code() == Code::already_exists);
    {
        const auto file = OutputFile::create(path, true, guard);
        REQUIRE(file);
        put(**file, "new");
        CHECK(read_file(path).value() == "mine");
        REQUIRE((*file)->commit());
    }
    CHECK(read_file(path).value() == "new");
    CHECK(OutputFile::create(dir.path(), true, guard).error().code() == Code::invalid_argument);
    std::filesystem::create_symlink(path, dir.path() + "/link");
    CHECK(OutputFile::create(dir.path() + "/link", true, guard).error().code() ==
          Code::invalid_argument);
    CHECK(OutputFile::create(dir.path() + "/no/disk", true, guard).error().code() ==
          Code::not_found);
}

TEST_CASE("a file that appeared in the meantime is not replaced") {
    TempDir dir;
    const std::string path = dir.path() + "/disk";
    InterruptGuard guard;
    {
        const auto file = OutputFile::create(path, false, guard);
        REQUIRE(file);
        REQUIRE(write_file_atomic(path, "quicker"));
        CHECK((*file)->commit().error().code() == Code::already_exists);
    }
    CHECK(read_file(path).value() == "quicker");
    CHECK(!std::filesystem::exists(path + ".part"));
}

TEST_CASE("two cannot write one file at a time") {
    TempDir dir;
    const std::string path = dir.path() + "/disk";
    InterruptGuard guard;
    const auto first = OutputFile::create(path, false, guard);
    REQUIRE(first);
    put(**first, "first");
    CHECK(OutputFile::create(path, false, guard).error().code() == Code::failed_precondition);
    CHECK(read_file(path + ".part").value() == "first");
    CHECK((*first)->commit());
}

TEST_CASE("a signal removes what is half made and ends the process as it would have") {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        TempDir dir;
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            InterruptGuard guard;
            const auto file = OutputFile::create(dir.path() + "/disk", false, guard);
            std::filesystem::create_directories(dir.path() + "/sandbox/below");
            guard.add(dir.path() + "/sandbox");
            guard.add(dir.path() + "/kept");
            guard.remove(dir.path() + "/kept");
            (void)write_file_atomic(dir.path() + "/kept", "");
            ::kill(::getpid(), signal);
            ::poll(nullptr, 0, 60'000);
            ::_exit(99);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == signal);
        CHECK(std::filesystem::exists(dir.path() + "/kept"));
        CHECK(!std::filesystem::exists(dir.path() + "/disk.part"));
        CHECK(!std::filesystem::exists(dir.path() + "/sandbox"));
    }
}
