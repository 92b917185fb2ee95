// SPDX-License-Identifier: Apache-2.0
// Stores from before volumes had several attachments (schema 16) keep theirs.
#include "catalog/detail/sqlite.h"
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

void change(const SqliteBackend& backend, const std::string& sql) {
    auto connection = detail::SqliteConnection::open(backend.path(),
                                                     detail::SqliteConnection::Mode::writer, false);
    REQUIRE(connection.has_value());
    REQUIRE((*connection)->begin().has_value());
    const Status done = (*connection)->script(sql);
    REQUIRE_MESSAGE(done, (done ? "" : done.error().to_string()));
    REQUIRE((*connection)->commit().has_value());
}

constexpr const char* kInstance = "i-00000000000000001";

// What a program of schema 16 left: one volume attached, with a job that takes it away, one loose.
void leave_old_store(SqliteBackend& backend, const std::string& document) {
    {
        auto store = backend.open();
        REQUIRE(store->run([&](Transaction& tx) -> Status {
            model::Volume volume = full_volume();
            volume.attachments.clear();
            TRY(tx.volumes().insert(volume));
            volume.id = model::VolumeId(id_of("vol", 2));
            TRY(tx.volumes().insert(volume));
            for (unsigned n = 1; n <= 2; ++n) {
                model::Job job = full_job();
                job.id = model::JobId(id_of("job", n));
                job.kind = "volume.attachment";
                job.subject = id_of("vol", n);
                TRY(tx.jobs().add(job));
            }
            return tx.meta().set("schema", "16");
        }));
    }
    change(backend, "ALTER TABLE volumes ADD COLUMN instance TEXT NOT NULL DEFAULT ''");
    change(backend, "CREATE INDEX volumes_instance ON volumes (instance)");
    change(backend, "UPDATE volumes SET instance = '" + std::string(kInstance) + "', doc = '" +
                        document + "' WHERE id = '" + id_of("vol", 1) + "'");
}

}  // namespace

TEST_CASE("VOL-11: the attachment of a volume of an older store is the first of its list") {
    SqliteBackend backend;
    leave_old_store(backend, std::string(R"({"attachment":{"instance":")") + kInstance +
                                 R"(","device":"/dev/sdf","state":"busy","time":12,)" +
                                 R"("delete_on_termination":true,"forced":true},"size_gib":9})");
    auto store = backend.open();
    const auto volume = store->read(
        [](Transaction& tx) { return tx.volumes().get(model::VolumeId(id_of("vol", 1))); });
    REQUIRE(volume);
    const model::VolumeAttachment kept{model::InstanceId(kInstance),
                                       "/dev/sdf",
                                       model::AttachmentState::busy,
                                       true,
                                       UnixMillis{12},
                                       true,
                                       0};
    REQUIRE(volume->attachments.size() == 1);
    CHECK(volume->attachments.front() == kept);
    CHECK(volume->size_gib == 9);
    CHECK_FALSE(volume->multi_attach);
    const auto attached = store->read([](Transaction& tx) {
        return tx.volumes().list({.attached_to = {model::InstanceId(kInstance)}});
    });
    REQUIRE(attached);
    REQUIRE(attached->size() == 1);
    const auto jobs = store->read([](Transaction& tx) { return tx.jobs().list({}); });
    REQUIRE(jobs);
    REQUIRE(jobs->size() == 2);
    CHECK((*jobs)[0].subject == id_of("vol", 1) + "/" + kInstance);
    CHECK((*jobs)[1].subject == id_of("vol", 2));  // of no attachment any more
}

TEST_CASE("a volume that an older store left damaged keeps the catalog from being opened") {
    SqliteBackend backend;
    leave_old_store(backend, "{");
    auto rng = io::make_system_rng();
    const auto store = open_sqlite_store({.path = backend.path()}, *rng);
    REQUIRE_FALSE(store);
    CHECK(store.error().code() == Code::data_loss);
}
