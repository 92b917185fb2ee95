// SPDX-License-Identifier: Apache-2.0
// The reader's answer: both ways, and what is not believed.
#include <doctest/doctest.h>

#include "disks/file_system.h"

using namespace kiln;
using namespace kiln::disks;

namespace {

FileSystemFindings debian() {
    return {{"ext4", "root"}, true, "", System{"debian", "12", "Debian {12} [x]", "x86_64", true}};
}

bool believed(const std::string& text, std::size_t count = 1) {
    return decode_findings(text, count).has_value();
}

}  // namespace

TEST_CASE("findings come back as they were") {
    const std::string text = encode_findings({debian(), {{"btrfs", "fedora"}, false, "", {}}});
    const auto back = decode_findings(text, 2);
    REQUIRE(back);
    CHECK((*back)[0].file_system.label == "root");
    CHECK((*back)[0].read);
    CHECK((*back)[0].system->name == "Debian {12} [x]");
    CHECK((*back)[0].system->cloud_init);
    CHECK((*back)[1].file_system.type == "btrfs");
    CHECK(!(*back)[1].system);
    CHECK(encode_findings(*back) == text);
}

TEST_CASE("an answer of another form is not believed") {
    const std::string good = R"({"type":"","label":"","read":false,"whyNot":""})";
    CHECK(believed("[" + good + "]"));
    CHECK(!believed("[" + good + "]", 2));
    CHECK(!believed("[" + good + "," + good + "]"));
    CHECK(!believed(good));
    CHECK(!believed(""));
    CHECK(!believed("[" + good));
    CHECK(!believed("[" + good + "] bwrap: warning"));
    CHECK(!believed(R"([{"type":1,"label":"","read":false,"whyNot":""}])"));
    CHECK(!believed(R"([{"type":"","label":"","read":0,"whyNot":""}])"));
    CHECK(!believed(R"([{"type":"","label":"","read":false}])"));
    CHECK(!believed(R"([{"type":"","label":"","read":false,"whyNot":"","more":1}])"));
    CHECK(!believed(R"([{"type":"","label":"","read":false,"whyNot":"","system":{}}])"));
    CHECK(!believed(R"([{"type":"","label":"","read":false,"whyNot":"","system":[]}])"));
    CHECK(!believed("[[]]"));
    CHECK(!believed(std::string(100'000, '[')));
    CHECK(!believed(std::string(300'000, ' ') + "[]", 0));
}

TEST_CASE("texts of the answer are made printable and short again") {
    const auto back =
        decode_findings(R"([{"type":"\u001b[31m","label":")" + std::string(1000, 'x') +
                            R"(","read":false,"whyNot":"\n"}])",
                        1);
    REQUIRE(back);
    CHECK((*back)[0].file_system.type == "?[31m");
    CHECK((*back)[0].file_system.label.size() == 128);
    CHECK((*back)[0].why_not == "?");
}
