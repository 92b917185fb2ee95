// SPDX-License-Identifier: Apache-2.0
// What holds for the SQLite store alone: crashes, query plans, the file.
#include "catalog/detail/sqlite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catalog/detail/fields.h"
#include "catalog/detail/migrations.h"
#include "catalog/detail/select.h"
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::catalog;
using model::ContentId, model::ImageId, model::ImageState, model::InstanceId;
using model::InstanceState, model::LayerState, model::SnapshotId, model::SnapshotSetId;
using model::SubnetId;
using namespace kiln::catalog::testing;
namespace detail = kiln::catalog::detail;

namespace {

// One value from SQLite, beside the store.
std::string ask(const std::string& path, const detail::Statement& statement,
                std::size_t column = 0) {
    auto connection =
        detail::SqliteConnection::open(path, detail::SqliteConnection::Mode::reader, true);
    REQUIRE(connection.has_value());
    auto rows = (*connection)->query(statement);
    REQUIRE_MESSAGE(rows.has_value(), (rows ? "" : rows.error().to_string()));
    std::string text;
    for (const detail::SqlRow& row : *rows) {
        if (const auto* value = std::get_if<std::string>(&row[column])) {
            text += *value + "\n";
        }
    }
    return text;
}

// In a process of its own: commits image after image, tells each one's number once it is committed,
// until it is killed.
[[noreturn]] void write_until_killed(const std::string& path, int out) {
    auto rng = io::make_system_rng();
    auto store = open_sqlite_store({.path = path}, *rng);
    for (unsigned n = 0; store && n < 100'000; ++n) {
        const Status done = (*store)->run([&](Transaction& tx) -> Status {
            TRY(tx.images().insert(small_image(n)));
            return tx.tags().put({kAlice, "us-east-1", "image", id_of("ami", n)}, {{"k", "v"}});
        });
        if (!done || ::write(out, &n, sizeof(n)) != sizeof(n)) {
            break;
        }
    }
    ::_exit(1);
}

// How many commits the child had reported when it was gone.
unsigned kill_after(pid_t child, int in, unsigned commits) {
    unsigned number = 0;
    unsigned seen = 0;
    while (::read(in, &number, sizeof(number)) == sizeof(number)) {
        ++seen;
        if (seen == commits) {
            ::kill(child, SIGKILL);
        }
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    return seen;
}

}  // namespace

TEST_CASE("after kill -9 every commit that was reported is there, whole") {
    SqliteBackend backend;
    unsigned expected = 0;
    for (const unsigned commits : {1U, 40U}) {
        std::filesystem::remove_all(backend.path());
        std::filesystem::remove_all(backend.path() + "-wal");
        std::filesystem::remove_all(backend.path() + "-shm");
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        UniqueFd in(ends[0]);
        UniqueFd out(ends[1]);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            write_until_killed(backend.path(), out.get());
        }
        out.reset();
        expected = kill_after(child, in.get(), commits);
        CHECK(expected >= commits);

        auto store = backend.open();
        auto images = store->read([](Transaction& tx) { return tx.images().list({}); });
        auto tags = store->read([](Transaction& tx) { return tx.tags().list({}); });
        REQUIRE(images.has_value());
        REQUIRE(tags.has_value());
        // The last commit may have happened without having been reported.
        CHECK(images->size() >= expected);
        CHECK(images->size() <= expected + 1);
        CHECK(tags->size() == images->size());
        CHECK(ask(backend.path(), {"PRAGMA integrity_check", {}}) == "ok\n");
    }
}

TEST_CASE("commits are synced unless the store is ephemeral") {
    SqliteBackend backend;
    const auto synchronous = [&](bool durable) {
        auto connection = detail::SqliteConnection::open(
            backend.path(), detail::SqliteConnection::Mode::writer, durable);
        REQUIRE(connection.has_value());
        return std::get<std::int64_t>((*(*connection)->query({"PRAGMA synchronous", {}}))[0][0]);
    };
    backend.open();
    CHECK(synchronous(true) == 2);  // FULL
    CHECK(synchronous(false) == 0);
    CHECK(ask(backend.path(), {"PRAGMA journal_mode", {}}) == "wal\n");
}

TEST_CASE("the files of the catalog are readable by their owner only") {
    SqliteBackend backend;
    const mode_t old = ::umask(0);
    auto store = backend.open();
    REQUIRE(store->run([](Transaction& tx) { return tx.meta().set("a", "b"); }).has_value());
    ::umask(old);
    for (const char* suffix : {"", "-wal", "-shm"}) {
        struct stat info {};
        REQUIRE(::stat((backend.path() + suffix).c_str(), &info) == 0);
        CHECK((info.st_mode & 0777U) == 0600U);
    }
}

TEST_CASE("a catalog that a newer program wrote is refused and left alone") {
    SqliteBackend backend;
    REQUIRE(backend.open()
                ->run([](Transaction& tx) { return tx.meta().set("schema", "9999"); })
                .has_value());
    auto rng = io::make_system_rng();
    const auto opened = open_sqlite_store({.path = backend.path()}, *rng);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code() == Code::failed_precondition);
    CHECK(opened.error().message().find("newer kiln (schema 9999") != std::string::npos);
    CHECK(ask(backend.path(), {"SELECT content FROM meta WHERE name = 'schema'", {}}) == "9999\n");
}

TEST_CASE("a file that is no catalog is refused") {
    SqliteBackend backend;
    REQUIRE(write_file_atomic(backend.path(), std::string(8192, 'x')).has_value());
    auto rng = io::make_system_rng();
    const auto opened = open_sqlite_store({.path = backend.path()}, *rng);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code() == Code::data_loss);
}

TEST_CASE("migrations run in order, once each, and all or none") {
    SqliteBackend backend;
    backend.open();
    auto connection = detail::SqliteConnection::open(backend.path(),
                                                     detail::SqliteConnection::Mode::writer, false);
    REQUIRE(connection.has_value());
    detail::SqliteConnection& session = **connection;
    std::vector<detail::Migration> steps(detail::migrations().begin(), detail::migrations().end());
    const int next = static_cast<int>(steps.size()) + 1;
    steps.push_back({next, "good", "CREATE TABLE extra (x BIGINT NOT NULL);"});
    steps.push_back(
        {next + 1, "bad", "INSERT INTO extra VALUES (1); INSERT INTO nowhere VALUES (1);"});

    REQUIRE(session.begin().has_value());
    const Status failed = detail::migrate(session, steps);
    session.rollback();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().message().starts_with("migration bad: "));
    const detail::Statement tables{"SELECT name FROM sqlite_master WHERE name = 'extra'", {}};
    CHECK(ask(backend.path(), tables).empty());

    steps.back().sql = "INSERT INTO extra VALUES (1);";
    for (int again = 0; again < 2; ++again) {
        REQUIRE(session.begin().has_value());
        REQUIRE(detail::migrate(session, steps).has_value());
        REQUIRE(session.commit().has_value());
    }
    CHECK(session.query({"SELECT x FROM extra", {}})->size() == 1);
}

TEST_CASE("what an account has in a region is counted in an index alone") {
    SqliteBackend backend;
    backend.open();
    const auto check = [&](auto query, std::string_view table) {
        query.region = "us-east-1";
        query.owners = {kAlice};
        detail::Statement statement = detail::conditions(query).select("COUNT(*)", table, "");
        statement.sql = "EXPLAIN QUERY PLAN " + statement.sql;
        const std::string text = ask(backend.path(), statement, 3);
        CAPTURE(text);
        CHECK(text.find("USING COVERING INDEX") != std::string::npos);
    };
    check(ImageQuery{}, "images");
    check(SnapshotQuery{}, "snapshots");
    check(VolumeQuery{}, "volumes");
    check(KeyPairQuery{}, "key_pairs");
    check(LaunchTemplateQuery{}, "launch_templates");
}

TEST_CASE("what queries select on by itself is found through an index") {
    SqliteBackend backend;
    backend.open();
    const auto plan = [&](auto query, std::string_view table) {
        detail::Statement statement = detail::conditions(query).page("id, doc", table, query.page);
        statement.sql = "EXPLAIN QUERY PLAN " + statement.sql;
        return ask(backend.path(), statement, 3);
    };
    // Neither a walk over the whole table nor, on ordered pages, a sort.
    const auto indexed = [&](auto query, std::string_view table) {
        const std::string text = plan(query, table);
        CAPTURE(text);
        CHECK(text.find("SEARCH") != std::string::npos);
        CHECK(text.find("SCAN " + std::string(table)) == std::string::npos);
    };
    const auto in_order = [&](auto query, std::string_view table) {
        indexed(query, table);
        for (const bool newest_first : {false, true}) {
            query.page = {Cursor{UnixMillis{5}, "x"}, 100, newest_first};
            const std::string text = plan(query, table);
            CAPTURE(text);
            CHECK(text.find("TEMP B-TREE") == std::string::npos);
        }
    };
    const std::string region = "us-east-1";
    in_order(ImageQuery{.region = region, .owners = {kAlice}}, "images");
    in_order(ImageQuery{.region = region, .states = {ImageState::pending}}, "images");
    indexed(ImageQuery{.region = region, .visible_to = kAlice, .names = {"x"}}, "images");
    indexed(ImageQuery{.region = region, .owners = {kAlice}, .name_prefix = "x"}, "images");
    indexed(ImageQuery{.region = region, .visible_to = kAlice}, "images");
    indexed(ImageQuery{.uses_snapshot = SnapshotId("snap-1")}, "images");
    indexed(ImageQuery{.shared_with = {kAlice}}, "images");
    // What DescribeImages asks for: the states that may be seen are a condition that must not lead.
    const std::vector<ImageState> seen = {ImageState::pending, ImageState::available,
                                          ImageState::failed};
    in_order(ImageQuery{.region = region, .owners = {kAlice}, .states = seen}, "images");
    indexed(ImageQuery{.region = region, .owner_aliases = {"amazon"}, .states = seen}, "images");
    indexed(ImageQuery{.region = region,
                       .visible_to = kAlice,
                       .shared_with = {kAlice, kBob},
                       .or_shared_with_all = true,
                       .states = seen},
            "images");
    indexed(ImageQuery{.region = region,
                       .visible_to = kAlice,
                       .visible_through = {"arn:one", "arn:two"},
                       .shared_with = {kAlice},
                       .shared_with_organizations = {"arn:one", "arn:two"},
                       .states = seen},
            "images");
    for (const ImageQuery& query :
         {ImageQuery{.region = region, .visible_to = kAlice, .states = seen, .names = {"x"}},
          ImageQuery{.region = region,
          .visible_to = kAlice,
          .states = seen,
          .uses_snapshot = SnapshotId("snap-1")},
          ImageQuery{.region = region,
          .visible_to = kAlice,
          .states = seen,
          .tags = {{kAlice, "Name", {"x"}}}}}) {
        indexed(query, "images");
        CHECK(plan(query, "images").find("images_state") == std::string::npos);
    }
    indexed(ImageQuery{.ids = {ImageId("ami-1"), ImageId("ami-2")}}, "images");
    indexed(ImageQuery{.region = region, .tags = {{kAlice, "Name", {"x"}}}}, "images");
    indexed(UserQuery{.owners = {kAlice}, .names = {"Baker"}}, "users");
    indexed(LaunchTemplateVersionQuery{.image = ImageId("ami-1")}, "launch_template_versions");
    in_order(ImageUsageReportQuery{.region = region, .owners = {kAlice}}, "image_usage_reports");
    indexed(ParameterQuery{.region = region, .owners = {kAlice}, .names = {"/x"}}, "parameters");
    indexed(ParameterQuery{.region = region, .owners = {kAlice}, .name_prefix = "/x"},
            "parameters");
    indexed(ParameterQuery{.images = {ImageId("ami-1")}}, "parameters");
    in_order(SnapshotQuery{.region = region, .owners = {kAlice}}, "snapshots");
    indexed(SnapshotQuery{.content = ContentId("c")}, "snapshots");
    indexed(SnapshotQuery{.set = SnapshotSetId("s")}, "snapshots");
    in_order(VolumeQuery{.region = region, .owners = {kAlice}}, "volumes");
    indexed(VolumeQuery{.attached_to = {InstanceId("i-1"), InstanceId("i-2")}}, "volumes");
    indexed(VolumeQuery{.base_content = ContentId("c")}, "volumes");
    in_order(InstanceQuery{.region = region, .owners = {kAlice}}, "instances");
    in_order(InstanceQuery{.states = {InstanceState::running}}, "instances");
    indexed(InstanceQuery{.subnet = SubnetId("subnet-1"), .private_ip = "10.0.0.1"}, "instances");
    indexed(InstanceQuery{.subnet = SubnetId("subnet-1")}, "instances");
    indexed(InstanceQuery{.reservations = {model::ReservationId("r-1")}}, "instances");
    indexed(InstanceQuery{.images = {ImageId("ami-1")}}, "instances");
    indexed(
        InstanceQuery{.states = {InstanceState::terminated}, .terminated_before = UnixMillis{1}},
        "instances");
    in_order(VpcQuery{.region = region, .owners = {kAlice}}, "vpcs");
    in_order(SubnetQuery{.region = region, .owners = {kAlice}}, "subnets");
    indexed(SubnetQuery{.vpc = model::VpcId("vpc-1")}, "subnets");
    in_order(SecurityGroupQuery{.region = region, .owners = {kAlice}}, "security_groups");
    indexed(SecurityGroupQuery{.vpc = model::VpcId("vpc-1"), .names = {"x"}}, "security_groups");
    in_order(VpcQuery{.region = region, .owners = {kAlice}}, "vpcs");
    in_order(SubnetQuery{.region = region, .owners = {kAlice}}, "subnets");
    indexed(SubnetQuery{.vpc = model::VpcId("vpc-1")}, "subnets");
    in_order(SecurityGroupQuery{.region = region, .owners = {kAlice}}, "security_groups");
    indexed(SecurityGroupQuery{.vpc = model::VpcId("vpc-1"), .names = {"x"}}, "security_groups");
    indexed(ContentQuery{.parent = ContentId("c")}, "contents");
    in_order(LayerQuery{.states = {LayerState::sealed}}, "layers");
    indexed(TokenQuery{.result = "r-1"}, "tokens");
    for (const TagQuery& query : {TagQuery{.account = kAlice, .region = region},
                                  TagQuery{.account = kAlice, .region = region, .keys = {"k"}}}) {
        detail::Statement page = detail::tag_page(query, TagCursor{"k", "v", "ami-1"}, 100);
        page.sql = "EXPLAIN QUERY PLAN " + page.sql;
        const std::string text = ask(backend.path(), page, 3);
        CAPTURE(text);
        CHECK(text.find("SEARCH") != std::string::npos);
        CHECK(text.find("TEMP B-TREE") == std::string::npos);
    }
    in_order(TokenQuery{.created_before = UnixMillis{1}}, "tokens");
    indexed(JobQuery{.subject = "i-1"}, "jobs");
}
