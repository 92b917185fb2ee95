// SPDX-License-Identifier: Apache-2.0
#include "control/tests/test_service.h"

#include <sys/wait.h>
#include <unistd.h>

#include "control/cut_recovery.h"
#include "objects/file_object_store.h"
#include "util/fs.h"

namespace kiln::control::testing {
namespace {

constexpr std::uint64_t kChunk = 64 << 10;

// Different in every byte from that of another word, and found again by its beginning.
Bytes filled(const std::string& word) {
    Bytes bytes(kChunk);
    const std::string text = word + "\n";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(text[i % text.size()]);
    }
    return bytes;
}

std::string word_of(const Bytes& bytes) {
    if (bytes.front() == 0) {
        CHECK(std::all_of(bytes.begin(), bytes.end(), [](auto byte) { return byte == 0; }));
        return "";
    }
    const auto end = std::find(bytes.begin(), bytes.end(), '\n');
    const std::string word(bytes.begin(), end);
    CHECK(bytes == filled(word));
    return word;
}

std::unique_ptr<catalog::Store> open_store(const std::string& directory, io::Rng& rng,
                                           unsigned inject_retry_percent) {
    catalog::SqliteOptions options;
    options.path = directory + "/catalog.sqlite";
    options.durable = false;
    options.inject_retry_percent = inject_retry_percent;
    auto store = catalog::open_sqlite_store(options, rng);
    REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().to_string()));
    return std::move(*store);
}

template <class T>
T must(Result<T> result) {
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().to_string()));
    return std::move(*result);
}

}  // namespace

Status WatchedStore::run_body(const Body& body) {
    if (before) {
        before();
    }
    Status done = below_->run([&](catalog::Transaction& tx) { return body(tx); });
    if (after) {
        after();
    }
    return done;
}

Status WatchedStore::read_body(const Body& body) {
    return below_->read([&](catalog::Transaction& tx) { return body(tx); });
}

void GateIndex::insert(const block::PackHeader& pack, std::uint64_t pack_bytes,
                       std::vector<block::PackEntry> entries, block::Done done) {
    below_->insert(pack, pack_bytes, std::move(entries),
                   [this, done = std::make_shared<block::Done>(std::move(done))](Status status) {
                       MutexLock lock(gate_.mutex);
                       const auto go = [this, done, status] {
                           scheduler_.post([done, status] { (*done)(status); });
                       };
                       if (!gate_.closed) {
                           go();
                           return;
                       }
                       gate_.held.emplace_back(go);
                       gate_.reached = true;
                       gate_.changed.notify_all();
                   });
}

int live_and_die(const std::function<void()>& life) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        life();
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TestService::TestService(const std::string& where, const Options& options)
    : directory(where),
      clock(io::make_system_clock()),
      rng(io::make_system_rng()),
      store(std::make_unique<WatchedStore>(
          open_store(directory, *rng, options.inject_retry_percent))),
      lookups("lookups", 2, 100),
      index("index", 2, 100),
      contents_store(*store, lookups) {
    REQUIRE(store->run([](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto known, tx.accounts().find(kAlice.account));
        return known ? ok() : tx.accounts().insert({.id = kAlice.account, .name = "alice"});
    }));
    REQUIRE(make_directories(directory + "/objects", 0700));
    REQUIRE(make_directories(directory + "/run", 0700));
    block::EngineOptions engine_options;
    engine_options.directory = directory + "/layers";
    engine_options.store_uuid = store->uuid();
    engine_options.durable = false;
    engine_options.space = &space;
    block::ImageTier images;
    images.objects =
        [&](io::Io& io, io::Scheduler& scheduler) -> Result<std::unique_ptr<objects::ObjectStore>> {
        return std::unique_ptr<objects::ObjectStore>(std::make_unique<objects::FileObjectStore>(
            io, scheduler,
            objects::FileStoreOptions{.directory = directory + "/objects", .durable = false}));
    };
    images.index = [&](io::Scheduler& scheduler) -> std::unique_ptr<block::ChunkIndex> {
        return std::make_unique<GateIndex>(
            std::make_unique<CatalogChunkIndex>(*store, index, *clock, scheduler), scheduler, gate);
    };
    engine = must(block::Engine::create(engine_options, images, contents_store, *clock, *rng));
    hypervisor = compute::make_fake_hypervisor(host, events);
    settings.runtime_directory = directory + "/run";
    settings.max_undestaged_layers = options.max_undestaged_layers;
    settings.gc_grace = std::chrono::milliseconds(0);
    settings.scrub_period = options.scrub_period;
    settings.scrub_bytes_per_second = options.scrub_bytes_per_second;
    settings.compact_bytes_per_second = options.compact_bytes_per_second;
    parts.reset(new Parts{*store, *engine, *hypervisor, *clock, *rng, topology, settings, space});
    jobs = std::make_unique<JobRunner>(*store, *clock);
    const auto poke = [this] { jobs->poke(); };
    volumes = std::make_unique<VolumeAccess>(
        *parts, [this](const model::VolumeId& id) { worker->volume_closed(id); });
    worker = std::make_unique<ContentWorker>(*parts, *volumes, poke);
    worker->install(*jobs);
    cuts = std::make_unique<Cuts>(*parts, *volumes, poke);
    snapshots = std::make_unique<Snapshots>(*parts, *cuts, poke);
    gc = std::make_unique<Gc>(*parts, poke);
    gc->install(*jobs);
    scrub = std::make_unique<Scrub>(*parts);
    scrub->install(*jobs);
}

TestService::~TestService() {
    worker->stop();
    gc->stop();
    jobs->stop();
}

void TestService::recover() {
    const Status recovered = recover_cuts(*parts);
    REQUIRE_MESSAGE(recovered.has_value(), (recovered ? "" : recovered.error().to_string()));
    REQUIRE(Imports(*parts, [] {}).clean_up());
    REQUIRE(gc->ensure_job());
    REQUIRE(scrub->ensure_job());
}

model::VolumeId TestService::add_volume(std::uint32_t size_gib, const model::ContentId& base) {
    return must(store->run([&](catalog::Transaction& tx) -> Result<model::VolumeId> {
        model::LayerRecord layer;
        layer.id = model::make_id<model::LayerId>(*rng);
        layer.size_bytes = size_gib * kGiB;
        layer.created = clock->now();
        TRY(tx.layers().insert(layer));
        model::Volume volume;
        volume.id = model::make_id<model::VolumeId>(*rng);
        volume.owner_id = kAlice.account;
        volume.region = kAlice.region;
        volume.state = model::VolumeState::available;
        volume.size_gib = size_gib;
        volume.base_content = base;
        volume.active_layer = layer.id;
        volume.created = layer.created;
        TRY(tx.volumes().insert(volume));
        return volume.id;
    }));
}

void TestService::remove_volume(const model::VolumeId& id) {
    REQUIRE(volumes->close_for_good(id, soon()));
    const model::Volume volume = row(id);
    REQUIRE(store->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.volumes().erase(id));
        TRY(queue_layer_drop(tx, *parts, volume.active_layer));
        return release_content(tx, *parts, volume.base_content);
    }));
    jobs->poke();
}

void TestService::write(const model::VolumeId& id, std::uint64_t chunk, const std::string& word) {
    const Status written = engine->write(block_id(id), chunk * kChunk, filled(word), soon());
    REQUIRE_MESSAGE(written.has_value(), (written ? "" : written.error().to_string()));
}

std::string TestService::read(const model::VolumeId& id, std::uint64_t chunk) {
    return word_of(must(engine->read(block_id(id), chunk * kChunk, kChunk, soon())));
}

std::string TestService::read(const model::ContentId& id, std::uint64_t chunk) {
    const block::VolumeId name("look");
    REQUIRE(engine->open_content(name, block_id(id), soon()));
    const Bytes bytes = must(engine->read(name, chunk * kChunk, kChunk, soon()));
    REQUIRE(engine->close_volume(name, soon()));
    return word_of(bytes);
}

model::SnapshotId TestService::snapshot(const model::VolumeId& id) {
    CreateSnapshotInput input;
    input.volume_id = id;
    return must(snapshots->create(kAlice, input)).snapshot.id;
}

model::Snapshot TestService::row(const model::SnapshotId& id) {
    return must(store->read([&](catalog::Transaction& tx) { return tx.snapshots().get(id); }));
}
model::Volume TestService::row(const model::VolumeId& id) {
    return must(store->read([&](catalog::Transaction& tx) { return tx.volumes().get(id); }));
}
model::Content TestService::row(const model::ContentId& id) {
    return must(store->read([&](catalog::Transaction& tx) { return tx.contents().get(id); }));
}
model::LayerRecord TestService::row(const model::LayerId& id) {
    return must(store->read([&](catalog::Transaction& tx) { return tx.layers().get(id); }));
}

std::size_t TestService::contents() {
    return must(store->read([](catalog::Transaction& tx) { return tx.contents().list({}); }))
        .size();
}

std::size_t TestService::jobs_of(const std::string& kind) {
    catalog::JobQuery query;
    query.kinds = {kind};
    return must(store->read([&](catalog::Transaction& tx) { return tx.jobs().list(query); }))
        .size();
}

std::map<model::PackState, std::size_t> TestService::packs() {
    std::map<model::PackState, std::size_t> counts;
    for (const auto state : {model::PackState::writing, model::PackState::stored,
                             model::PackState::condemned, model::PackState::trash}) {
        counts[state] = must(store->read([&](catalog::Transaction& tx) {
                            return tx.packs().list(state, 0, 1000);
                        })).size();
    }
    return counts;
}

std::size_t TestService::objects() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory + "/objects")) {
        count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
}

void TestService::close_gate() {
    MutexLock lock(gate.mutex);
    gate.closed = true;
    gate.reached = false;
}

void TestService::wait_at_gate() {
    const Deadline deadline = soon();
    MutexLock lock(gate.mutex);
    while (!gate.reached) {
        REQUIRE_FALSE(deadline.passed());
        gate.changed.wait_until(lock, deadline.at());
    }
}

void TestService::open_gate() {
    MutexLock lock(gate.mutex);
    gate.closed = false;
    for (const auto& go : gate.held) {
        go();
    }
    gate.held.clear();
}

void TestService::without_packs(const std::function<void()>& reads) {
    wait_until(
        [&] {
            const auto before = engine->counters().chunk_reads;
            reads();
            return engine->counters().chunk_reads == before;
        },
        "reads without packs");
}

void TestService::wait_until(const std::function<bool()>& done, const std::string& what) {
    const Deadline deadline = soon();
    while (!done()) {
        REQUIRE_MESSAGE(!deadline.passed(), what);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

void TestService::wait_rooted(const model::ContentId& id) {
    wait_until([&] { return row(id).state == model::ContentState::rooted; },
               id.str() + " becomes rooted");
}

GcReport TestService::collect_garbage() {
    const std::uint64_t run = must(gc->request());
    const GcReport report = must(gc->wait(run, soon()));
    REQUIRE(report.over);
    return report;
}

}  // namespace kiln::control::testing
