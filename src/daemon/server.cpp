// SPDX-License-Identifier: Apache-2.0
#include "daemon/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "block/limits.h"
#include "catalog/sqlite_store.h"
#include "compute/network/driver.h"
#include "compute/qemu/qemu_hypervisor.h"
#include "control/chunk_index.h"
#include "control/cut_recovery.h"
#include "control/limits_file.h"
#include "control/topology_file.h"
#include "daemon/directories.h"
#include "daemon/store_directory.h"
#include "objects/file_object_store.h"
#include "util/log.h"

namespace kiln::daemon {
namespace {

constexpr std::size_t kJobThreads = 4;
// Each is short, and there is at most one per event of a machine and per opened volume.
constexpr std::size_t kSmallQueue = 4096;
// Hashing and compressing; more would be waiting for the catalog's one writer.
constexpr std::size_t kMostImageWorkers = 16;
constexpr std::chrono::seconds kStopGrace{5};

Result<compute::Accelerator> parse_accelerator(const std::string& text) {
    if (text == "auto") {
        return compute::Accelerator::automatic;
    }
    if (text == "kvm") {
        return compute::Accelerator::kvm;
    }
    if (text == "tcg") {
        return compute::Accelerator::tcg;
    }
    return Error(Code::invalid_argument, "--accelerator takes auto, kvm or tcg");
}

}  // namespace

Server::Server(ServeOptions options, control::Topology topology, const control::Limits& limits)
    : options_(std::move(options)),
      data_(options_.data_directory),
      clock_(io::make_system_clock()),
      rng_(io::make_system_rng()),
      topology_(std::move(topology)),
      limits_(limits) {}

Server::~Server() {
    stop();
}

Result<std::unique_ptr<Server>> Server::start(const ServeOptions& options) {
    control::Topology topology = control::Topology::built_in();
    if (!options.topology_file.empty()) {
        TRY_ASSIGN(topology, control::load_topology(options.topology_file));
    }
    control::Limits limits;
    if (!options.limits_file.empty()) {
        TRY_ASSIGN(limits, control::load_limits(options.limits_file));
    }
    std::unique_ptr<Server> server(new Server(options, std::move(topology), limits));
    TRY(server->open_storage());
    TRY(server->open_hypervisor());
    TRY(server->open_networks());
    server->make_use_cases();
    TRY(server->recover());
    TRY(server->jobs_->start(kJobThreads));
    server->space_watch_->start();
    server->memory_watch_->start();
    server->volume_health_->start();
    TRY(server->open_api());
    TRY(server->introduce());
    server->start_providing();
    return server;
}

Status Server::open_storage() {
    TRY(prepare_data_directory(data_));
    TRY_ASSIGN(lock_, lock_store(data_));
    if (::access((data_ + "/" + kResetMark).c_str(), F_OK) == 0) {
        return Error(
            Code::failed_precondition,
            "a reset of this directory was cut short; finish it: kiln reset --data " + data_);
    }

    catalog::SqliteOptions catalog;
    catalog.path = data_ + "/catalog.sqlite";
    catalog.durable = !options_.ephemeral;
    TRY_ASSIGN(store_, catalog::open_sqlite_store(catalog, *rng_), "open the catalog");

    TRY_ASSIGN(settings_.runtime_directory,
               prepare_runtime_directory(options_.runtime_directory, store_->uuid()));
    // A copy of a store, as a restored backup is, has the same name.
    auto runtime_lock = lock_file(settings_.runtime_directory + "/lock");
    if (!runtime_lock) {
        return std::move(runtime_lock)
            .error()
            .with(
                "another service of this store, or of a copy of it, runs on this host; give "
                "--runtime-directory another path");
    }
    runtime_lock_ = std::move(*runtime_lock);
    settings_.instances_directory = data_ + "/instances";
    const auto transport = model::parse<model::DiskTransport>(options_.disk_transport);
    if (!transport) {
        return Error(Code::invalid_argument, "--disk-transport takes nbd or vhost-user");
    }
    settings_.disk_transport = *transport;
    settings_.guest_memory_cap_mib = options_.guest_memory_cap_mib;
    settings_.memory_overcommit = options_.memory_overcommit;
    settings_.shutdown_grace = std::chrono::seconds(options_.shutdown_grace_s);
    settings_.terminated_kept = std::chrono::seconds(options_.terminated_kept_s);
    settings_.gc_grace = std::chrono::seconds(options_.gc_grace_s);
    settings_.scrub_period = std::chrono::seconds(options_.scrub_period_s);
    settings_.scrub_bytes_per_second = std::uint64_t{options_.scrub_mib_per_second} << 20;
    settings_.enforce_volume_limits = options_.enforce_volume_limits;
    settings_.quotas = limits_.quotas;
    settings_.compact_bytes_per_second = std::uint64_t{options_.compact_mib_per_second} << 20;
    TRY(open_space());
    return open_engine();
}

Status Server::open_space() {
    block::ReserveSize size;
    if (!options_.reserve.empty()) {
        TRY_ASSIGN(size, block::parse_reserve(options_.reserve), "--reserve");
    }
    space_ = std::make_unique<block::SpaceReserve>(block::space_of(data_), size);
    TRY(space_->measure());
    return ok();
}

Status Server::open_engine() {
    lookups_ = std::make_unique<Executor>("lookups", 2, kSmallQueue);
    index_ = std::make_unique<Executor>("index", 2, kSmallQueue);
    contents_ = std::make_unique<control::CatalogContents>(*store_, *lookups_);
    block::EngineOptions engine;
    engine.directory = data_ + "/layers";
    engine.store_uuid = store_->uuid();
    engine.durable = !options_.ephemeral;
    engine.space = space_.get();
    engine.host_limits.operations.rate = options_.total_iops;
    engine.host_limits.bytes.rate = options_.total_mib_per_second << 20;
    const std::size_t processors = std::max(std::thread::hardware_concurrency(), 1U);
    engine.reactors =
        options_.reactors > 0 ? options_.reactors : std::min(processors, block::kMaxReactors);
    block::ImageTier images;
    images.worker_threads = std::clamp(processors, std::size_t{2}, kMostImageWorkers);
    // Set by the thread of the first reactor, before anything is put; the others only read.
    auto cleaned = std::make_shared<std::promise<Status>>();
    images.objects = [this, cleaned, first = true](io::Io& io, io::Scheduler& scheduler) mutable
        -> Result<std::unique_ptr<objects::ObjectStore>> {
        auto store = std::make_unique<objects::FileObjectStore>(
            io, scheduler,
            objects::FileStoreOptions{.directory = data_ + "/objects",
                                      .durable = !options_.ephemeral});
        if (std::exchange(first, false)) {
            store->clean([cleaned](Status status) { cleaned->set_value(std::move(status)); });
        }
        return std::unique_ptr<objects::ObjectStore>(std::move(store));
    };
    images.index = [this](io::Scheduler& scheduler) -> std::unique_ptr<block::ChunkIndex> {
        return std::make_unique<control::CatalogChunkIndex>(*store_, *index_, *clock_, scheduler);
    };
    TRY_ASSIGN(engine_,
               block::Engine::create(engine, std::move(images), *contents_, *clock_, *rng_),
               "open the block engine");
    TRY(cleaned->get_future().get(), "clean up " + data_ + "/objects");
    log_info("daemon", fmt::format("block engine on {}, {} {}", engine_->backend_name(),
                                   engine.reactors, engine.reactors == 1 ? "reactor" : "reactors"));
    return ok();
}

Status Server::open_hypervisor() {
    events_ = std::make_unique<Executor>("events", 1, kSmallQueue);
    watch_ = std::make_unique<control::MachineWatch>(*events_);
    if (options_.hypervisor == "fake") {
        compute::FakeHost::Options host;
        if (options_.fake_memory_mib != 0) {
            host.memory_mib = options_.fake_memory_mib;
        }
        fake_host_ = std::make_unique<compute::FakeHost>(host);
        hypervisor_ = compute::make_fake_hypervisor(*fake_host_, *watch_);
        log_warn("daemon", "--hypervisor=fake: instances are entries in a table, nothing boots");
        return ok();
    }
    if (options_.hypervisor != "qemu") {
        return Error(Code::invalid_argument, "--hypervisor takes qemu or fake");
    }
    compute::QemuOptions qemu;
    TRY_ASSIGN(qemu.accelerator, parse_accelerator(options_.accelerator));
    TRY_ASSIGN(hypervisor_, compute::make_qemu_hypervisor(qemu, *watch_), "open the hypervisor");
    log_info("daemon", hypervisor_->description());
    return ok();
}

// D20. A pool is looked at whatever the driver, so that a mistake in it shows at once.
Status Server::open_addresses() {
    TRY_ASSIGN(const auto wish, compute::parse_driver_wish(options_.network_driver));
    std::optional<compute::Cidr> pool;
    if (!options_.public_pool.empty()) {
        const auto plain = compute::Cidr::parse(options_.public_pool);
        TRY_ASSIGN(pool,
                   compute::parse_public_pool(
                       options_.public_pool,
                       compute::host_networks(plain ? std::optional(*plain) : std::nullopt)),
                   "--public-pool");
    }
    TRY_ASSIGN(const auto chosen,
               compute::choose_driver(wish, compute::driver_facts(pool.has_value())));
    auto loopback =
        std::make_unique<compute::LoopbackPool>(store_->uuid(), compute::claim_by_socket());
    const bool tun = chosen.driver == compute::NetworkDriver::tun;
    log_info("daemon", tun ? fmt::format("instances get public addresses of {} (network driver "
                                         "tun: {})",
                                         pool->text(), chosen.reason)
                           : fmt::format("instances get public addresses 127.x (network driver "
                                         "user: {})",
                                         chosen.reason));
    addresses_ = std::make_unique<compute::PublicAddresses>(
        std::move(loopback),
        tun ? std::make_unique<compute::PublicPool>(*pool, compute::claims_by_socket()) : nullptr);
    return ok();
}

Status Server::open_networks() {
    TRY(open_addresses());
    if (fake_host_) {
        fake_network_host_ = std::make_unique<compute::FakeNetworkHost>();
        guest_networks_ = compute::make_fake_guest_networks(*fake_network_host_);
    } else {
        TRY_ASSIGN(guest_networks_, compute::make_guest_networks({}), "prepare guest networks");
    }
    TRY_ASSIGN(sessions_, control::Sessions::create(*store_, *clock_, *rng_));
    TRY_ASSIGN(metadata_,
               control::Metadata::create(*store_, *clock_, *rng_, topology_, *sessions_,
                                         control::Metadata::catalog_interfaces(*store_)));
    TRY_ASSIGN(metadata_door_, api::MetadataDoor::create(*metadata_, *clock_));
    TRY_ASSIGN(guest_api_, api::GuestApiDoor::create());
    return ok();
}

Status Server::recover() {
    TRY(control::recover_cuts(*parts_));
    TRY(imports_->clean_up());
    TRY(backups_->clean_up());
    TRY(drop_orphan_layers());
    TRY(gc_->ensure_job());
    TRY(scrub_->ensure_job());
    return worker_->recover();
}

// D31: files that no row names are left from a crash between making them and writing the row, or
// the other way round.
Status Server::drop_orphan_layers() {
    TRY_ASSIGN(const auto files, engine_->list_layers());
    for (const block::LayerId& id : files) {
        TRY_ASSIGN(const auto row, store_->read([&](catalog::Transaction& tx) {
            return tx.layers().find(model::LayerId(id.str()));
        }));
        if (!row) {
            log_warn("daemon", "dropping layer " + id.str() + ", which nothing refers to");
            TRY(engine_->drop_layer(id, Deadline::after(std::chrono::seconds(60))));
        }
    }
    return ok();
}

Status Server::introduce() {
    TRY_ASSIGN(const auto first, accounts_->create_first());
    if (first) {
        first_start_ = true;
        TRY(write_client_files(data_, *first, url_, topology_.regions().front().name));
    }
    // Made anew from the catalog, which is what a backup holds.
    TRY(write_file_atomic(data_ + "/" + kIdentityCertificate, metadata_->signatures().certificate(),
                          0644));
    return write_file_atomic(data_ + "/endpoint", url_ + "\n", 0600);
}

// Beside the API: an image that is large takes its time.
void Server::start_providing() {
    const std::string directory = provided_images_directory(options_.provided_images);
    if (directory.empty()) {
        return;
    }
    providing_ = std::thread([this, directory] { provided_->provide(directory, end_providing_); });
}

void Server::end_guests() {
    for (const compute::MachineId& id : hypervisor_->machines()) {
        if (const Status killed = hypervisor_->kill(id, Deadline::after(std::chrono::seconds(10)));
            !killed) {
            log_error("daemon",
                      fmt::format("{} was not ended: {}", id.str(), killed.error().to_string()));
        }
        if (const Status stopped = instance_networks_->stop(
                model::InstanceId(id.str()), Deadline::after(std::chrono::seconds(10)));
            !stopped) {
            log_error("daemon", fmt::format("the network of {} was not ended: {}", id.str(),
                                            stopped.error().to_string()));
        }
    }
}

void Server::stop() {
    if (stopped_) {
        return;
    }
    stopped_ = true;
    end_providing_ = true;
    if (providing_.joinable()) {
        providing_.join();
    }
    if (http_) {
        http_->stop(kStopGrace);
        guest_api_->pause();
        kiln_api_->stop();
    }
    if (content_worker_) {
        content_worker_->stop();
    }
    if (gc_) {
        gc_->stop();
    }
    if (jobs_) {
        jobs_->stop();
    }
    if (space_watch_) {
        space_watch_->stop();
        memory_watch_->stop();
        volume_health_->stop();
    }
    if (hypervisor_) {
        const auto machines = hypervisor_->machines();
        if (options_.ephemeral) {
            end_guests();
        } else if (!machines.empty() && !fake_host_) {
            log_info(
                "daemon",
                fmt::format(
                    "{} guest(s) go on running; the next kiln serve on {} takes them over. To end "
                    "them, start it and terminate the instances",
                    machines.size(), data_));
        }
        hypervisor_.reset();
    }
    if (events_) {
        events_->stop();
    }
    if (metadata_door_) {
        metadata_door_->stop();
    }
    if (guest_api_) {
        guest_api_->stop();
    }
    if (http_) {
        const Status removed = remove_file(data_ + "/endpoint");
        static_cast<void>(
            removed);  // a stale endpoint only misleads a client into a refused connection
    }
}

}  // namespace kiln::daemon
