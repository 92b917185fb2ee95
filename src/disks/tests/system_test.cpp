// SPDX-License-Identifier: Apache-2.0
// The system in a tree of files: links that are followed and links that lead nowhere, os-release
// as distributions write it and as nobody should, and programs of several processors.
#include "disks/system.h"

#include <doctest/doctest.h>

#include "disks/tests/memory_tree.h"

using namespace kiln;
using namespace kiln::disks;
using testing::MemoryTree;

namespace {

std::string elf(std::uint16_t machine, bool big_endian = false) {
    std::string head(
        "\x7f"
        "ELF\x02\x01",
        6);
    head[5] = big_endian ? '\2' : '\1';
    head.resize(64, '\0');
    head[big_endian ? 19 : 18] = static_cast<char>(machine & 0xff);
    head[big_endian ? 18 : 19] = static_cast<char>(machine >> 8);
    return head;
}

using Files = std::map<std::string, std::string>;

std::string place(const Files& files, const std::string& path) {
    MemoryTree tree(files);
    const auto real = resolve(tree, path);
    CHECK(tree.calls() <= 128);
    return real ? *real : std::string(to_string(real.error().code()));
}

}  // namespace

TEST_CASE("links are followed inside the tree, relative and absolute ones") {
    CHECK(place(Files({{"/etc/os-release", "-> ../usr/lib/os-release"},
                       {"/usr/lib/os-release", "x"}}),
                "/etc/os-release") == "/usr/lib/os-release");
    CHECK(
        place(Files({{"/bin", "-> /usr/bin"}, {"/usr/bin/sh", "-> dash"}, {"/usr/bin/dash", "x"}}),
              "/bin/sh") == "/usr/bin/dash");
    CHECK(place(Files({{"/a", "-> ../../../b"}, {"/b", "x"}}), "/a") == "/b");
    CHECK(place(Files({{"/a/b", "x"}}), "//a/./b") == "/a/b");
}

TEST_CASE("links that run in a circle, and ways that are too long, lead nowhere") {
    CHECK(place(Files({{"/a", "-> a"}}), "/a") == "not_found");
    CHECK(place(Files({{"/a", "-> b"}, {"/b", "-> a"}}), "/a/c") == "not_found");
    CHECK(place(Files({{"/a", "-> b/a"}, {"/b/a", "-> ../a/x"}}), "/a") == "not_found");
    std::string names;
    for (int i = 0; i < 1000; ++i) {
        names += "/d/..";
    }
    CHECK(place(Files({{"/d/f", "x"}, {"/l", "-> " + names + "/d/f"}}), "/l") == "not_found");
    CHECK(place(Files({{"/a", "x"}}), "/a/b") == "not_found");
    CHECK(place(Files({{"/a", "x"}}), "/b") == "not_found");
}

TEST_CASE("os-release is read as a shell would") {
    const System system = parse_os_release(
        "# a comment\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME='Debian'\nID=debian\n"
        "VERSION_ID=\"12\"\nnonsense\n=\n");
    CHECK(system.id == "debian");
    CHECK(system.version == "12");
    CHECK(system.name == "Debian GNU/Linux 12 (bookworm)");
    CHECK(parse_os_release("NAME=\"a \\\"b\\\"\"\n").name == "a \"b\"");
    CHECK(parse_os_release("ID=\"\"").id.empty());
    CHECK(parse_os_release("ID=\"").id == "\"");
    CHECK(parse_os_release("").name.empty());
}

TEST_CASE("texts of a stranger do not reach a terminal as they are, nor whole") {
    CHECK(parse_os_release("ID=\x1b[2Jx\x9c\xff").id == "?[2Jx??");
    CHECK(parse_os_release("ID=" + std::string(5000, 'a')).id.size() == 128);
}

TEST_CASE("a program tells its processor") {
    CHECK(architecture_of_program(elf(62)) == "x86_64");
    CHECK(architecture_of_program(elf(183)) == "arm64");
    CHECK(architecture_of_program(elf(3)) == "i386");
    CHECK(architecture_of_program(elf(22, true)) == "s390");
    CHECK(architecture_of_program(elf(4711)).empty());
    CHECK(architecture_of_program(elf(62).substr(0, 19)).empty());
    CHECK(architecture_of_program("#!/bin/sh and more of it").empty());
}

TEST_CASE("a system is known by os-release or by its programs") {
    MemoryTree debian(Files{{"/usr/lib/os-release", "ID=debian\n"},
                            {"/sbin", "-> usr/sbin"},
                            {"/usr/sbin/init", elf(183)},
                            {"/usr/bin/cloud-init", "#!"}});
    const auto found = find_system(debian);
    REQUIRE(found);
    REQUIRE(*found);
    CHECK((*found)->id == "debian");
    CHECK((*found)->architecture == "arm64");
    CHECK((*found)->cloud_init);
    MemoryTree rescue(Files{{"/bin/busybox", elf(62)}});
    CHECK(find_system(rescue)->value().architecture == "x86_64");
    CHECK(find_system(rescue)->value().id.empty());
    MemoryTree data(Files{{"/photos/one", "x"}, {"/etc/os-release", "-> os-release"}});
    CHECK(!find_system(data)->has_value());
}
