// SPDX-License-Identifier: Apache-2.0
#include "compute/host_memory.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "util/fs.h"

namespace kiln::compute {
namespace {

// A tree with a /proc and a /sys of its own.
class Root {
  public:
    Root() {
        std::string path = "/tmp/kiln-memory-XXXXXX";
        REQUIRE(::mkdtemp(path.data()) != nullptr);
        path_ = path;
        put("proc/meminfo",
            "MemTotal:       8388608 kB\nMemFree:          1024 kB\nMemAvailable:   4194304 kB\n");
    }
    ~Root() { std::filesystem::remove_all(path_); }
    Root(const Root&) = delete;
    Root& operator=(const Root&) = delete;

    void put(const std::string& file, const std::string& content) {
        const std::filesystem::path path = path_ + "/" + file;
        std::filesystem::create_directories(path.parent_path());
        REQUIRE(write_file_atomic(path.string(), content));
    }
    std::optional<HostMemory> read() const { return read_host_memory(path_); }

  private:
    std::string path_;
};

std::string mib(std::uint64_t number) {
    return std::to_string(number << 20) + "\n";
}

TEST_CASE("without a limit what the host has available counts") {
    Root root;
    root.put("proc/self/cgroup", "0::/\n");
    const auto memory = root.read();
    REQUIRE(memory);
    CHECK(memory->total_mib == 8192);
    CHECK(memory->available_mib == 4096);
    CHECK_FALSE(memory->group_limit_mib);
}

TEST_CASE("the tightest limit of a control group and those above it counts") {
    Root root;
    root.put("proc/self/cgroup", "0::/system/kiln\n");
    root.put("sys/fs/cgroup/system/kiln/memory.max", "max\n");
    root.put("sys/fs/cgroup/system/kiln/memory.current", mib(300));
    root.put("sys/fs/cgroup/system/memory.max", mib(1024));
    root.put("sys/fs/cgroup/system/memory.current", mib(500));
    root.put("sys/fs/cgroup/system/memory.stat",
             "anon 5\nactive_inactive_file 7\ninactive_file " + mib(100));
    const auto memory = root.read();
    REQUIRE(memory);
    CHECK(memory->total_mib == 1024);
    CHECK(memory->available_mib == 1024 - 400);
    CHECK(*memory->group_limit_mib == 1024);
}

TEST_CASE("a limit that leaves more than the host has is none") {
    Root root;
    root.put("proc/self/cgroup", "0::/kiln\n");
    root.put("sys/fs/cgroup/kiln/memory.max", mib(7000));
    root.put("sys/fs/cgroup/kiln/memory.current", mib(10));
    const auto memory = root.read();
    REQUIRE(memory);
    CHECK(memory->available_mib == 4096);
    CHECK_FALSE(memory->group_limit_mib);
}

TEST_CASE("control groups of version 1 are understood, also where the path cannot be seen") {
    Root root;
    root.put("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/abc\n0::/\n");
    root.put("sys/fs/cgroup/memory/memory.limit_in_bytes", mib(512));
    root.put("sys/fs/cgroup/memory/memory.usage_in_bytes", mib(600));
    const auto memory = root.read();
    REQUIRE(memory);
    CHECK(memory->available_mib == 0);  // beyond its limit
    CHECK(*memory->group_limit_mib == 512);
}

TEST_CASE("a host that does not tell is not guessed at") {
    Root root;
    root.put("proc/meminfo", "MemTotal: many\n");
    CHECK_FALSE(root.read());
    root.put("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 50 kB\n");
    root.put("proc/self/cgroup", "nonsense\n::\n0::/\n:");
    CHECK(root.read()->available_mib == 0);
    CHECK(read_host_memory()->total_mib > 0);  // this one
}

}  // namespace
}  // namespace kiln::compute
