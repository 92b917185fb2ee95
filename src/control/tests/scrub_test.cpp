// SPDX-License-Identifier: Apache-2.0
#include "control/scrub.h"

#include <filesystem>
#include <fstream>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

model::ContentId store(TestService& service, const std::string& word) {
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, word);
    const auto content = service.row(service.snapshot(volume)).content;
    service.wait_rooted(content);
    return content;
}

std::vector<std::filesystem::path> packs(const std::string& directory) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/objects")) {
        found.push_back(entry.path());
    }
    return found;
}

void damage(const std::filesystem::path& file) {
    std::filesystem::permissions(file, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(file) / 2);
    bytes.seekg(middle);
    const auto was = static_cast<char>(bytes.get());
    bytes.seekp(middle);
    bytes.put(static_cast<char>(was ^ 1));
    REQUIRE(bytes.flush());
}

void wait_for_pass(TestService& service, std::uint64_t after) {
    service.wait_until([&] { return service.scrub->report()->passes > after; }, "a pass is over");
}

model::Job scrub_job(TestService& service) {
    const auto jobs = service.store->read([](catalog::Transaction& tx) {
        catalog::JobQuery query;
        query.kinds = {kScrubJob};
        return tx.jobs().list(query);
    });
    REQUIRE(jobs);
    return jobs->at(0);
}

// The one that a pass begins with.
std::filesystem::path first_pack(TestService& service, const std::string& directory) {
    const auto rows = service.store->read(
        [](catalog::Transaction& tx) { return tx.packs().list(model::PackState::stored, 0, 1); });
    REQUIRE(rows);
    return directory + "/objects/" +
           block::pack_name(service.store->uuid(), block::PackId::from(rows->at(0).pack.id));
}

TestService::Options often() {
    return {.scrub_period = std::chrono::milliseconds(20)};
}

}  // namespace

TEST_CASE("INT-6: all packs are read again and again, and damage of one is counted") {
    TempDir dir;
    TestService service(dir.path(), often());
    service.recover();
    service.start_jobs();
    store(service, "one");
    store(service, "two");
    wait_for_pass(service, service.scrub->report()->passes + 1);
    const auto whole = *service.scrub->report();
    CHECK(whole.packs == packs(dir.path()).size());
    CHECK(whole.bytes > 0);
    CHECK(whole.damaged == 0);
    CHECK(whole.ended.value > 0);
    damage(packs(dir.path()).front());
    wait_for_pass(service, service.scrub->report()->passes + 1);
    CHECK(service.scrub->report()->damaged == 1);
    std::filesystem::remove(packs(dir.path()).back());
    wait_for_pass(service, service.scrub->report()->passes + 1);
    CHECK(service.scrub->report()->damaged >= 1);
    CHECK(service.scrub->report()->packs == whole.packs);
}

TEST_CASE("INT-6: a pass takes no more than its rate, and goes on after a restart") {
    TempDir dir;
    {
        TestService service(dir.path(), {.scrub_period = std::chrono::milliseconds(0),
                                         .scrub_bytes_per_second = 0});
        service.recover();
        service.start_jobs();
        store(service, "one");
        store(service, "two");
        CHECK(service.scrub->report()->passes == 0);
    }
    std::filesystem::path first;
    {
        TestService service(dir.path(), {.scrub_period = std::chrono::milliseconds(0),
                                         .scrub_bytes_per_second = 1});
        service.recover();
        service.start_jobs();
        // One pack, and then it waits for as many seconds as that has bytes.
        service.wait_until([&] { return scrub_job(service).step == "pass"; }, "a pack is read");
        CHECK(service.scrub->report()->passes == 0);
        first = first_pack(service, dir.path());
    }
    damage(first);
    TestService service(dir.path(), {.scrub_period = std::chrono::milliseconds(0)});
    service.recover();
    service.start_jobs();
    wait_for_pass(service, 0);
    service.wait_until([&] { return service.scrub->report()->damaged == 1; },
                       "only a later pass finds what was damaged behind the first");
    CHECK(service.scrub->report()->packs == packs(dir.path()).size());
}
