// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

using namespace kiln::daemon;

namespace {

// With PATH as given, for the length of a scope.
class Path {
  public:
    explicit Path(const char* path) : before_(std::getenv("PATH")) { ::setenv("PATH", path, 1); }
    ~Path() { ::setenv("PATH", before_.c_str(), 1); }

  private:
    const std::string before_;
};

Finding find(const std::vector<Finding>& findings, const std::string& what) {
    const auto found = std::find_if(findings.begin(), findings.end(),
                                    [&](const Finding& finding) { return finding.what == what; });
    REQUIRE(found != findings.end());
    return *found;
}

}  // namespace

TEST_CASE("the doctor names the package of what is missing, and what it cannot do without") {
    const Path nothing("/nowhere");
    const auto findings = examine_host("/nowhere/data");
    CHECK(find(findings, "QEMU").level == Finding::Level::missing);
    CHECK(find(findings, "QEMU").packages == std::vector<std::string>{"qemu-system-x86"});
    CHECK(find(findings, "ssh").level == Finding::Level::limited);
    CHECK(find(findings, "ssh").packages == std::vector<std::string>{"openssh-client"});
    CHECK(run_doctor("/nowhere/data") == 1);
}

TEST_CASE("the doctor says something of everything, and whether a service answers") {
    for (const Finding& finding : examine_host("/nowhere/data")) {
        CHECK_FALSE(finding.found.empty());
    }
    CHECK(find(examine_host("/nowhere/data"), "service").found == "none runs on /nowhere/data");
}
