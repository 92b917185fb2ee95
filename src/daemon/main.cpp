// SPDX-License-Identifier: Apache-2.0
// kiln: one program. `kiln serve` is the service, every other subcommand a client of it.
#include <CLI/CLI.hpp>

#include "block/limits.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/describe_commands.h"
#include "compute/network/process.h"
#include "daemon/doctor.h"
#include "daemon/serve.h"
#include "daemon/store_directory.h"

namespace {

constexpr std::uint64_t kMostTotalRate = 1'000'000'000;  // no machine's; a product fits 64 bits

void add_serve(CLI::App& app, kiln::daemon::ServeOptions& options, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand("serve", "run the service");
    CLI::Option* data = command->add_option("--data", options.data_directory, "data directory");
    CLI::Option* listen =
        command
            ->add_option("--listen", options.listen,
                         "ADDRESS:PORT of the API; port 0 takes a free one, as --ephemeral does")
            ->capture_default_str();
    CLI::Option* ephemeral =
        command
            ->add_flag("--ephemeral", options.ephemeral,
                       "throw-away, for CI: a temporary directory, a free port, no fsync; guests "
                       "and files end with it")
            ->excludes(data);
    command->add_option("--hypervisor", options.hypervisor, "qemu, or fake (nothing boots)")
        ->capture_default_str();
    command->add_option("--accelerator", options.accelerator, "auto, kvm or tcg")
        ->capture_default_str();
    command
        ->add_option("--disk-transport", options.disk_transport,
                     "how instances launched from now on get their disks: nbd, or vhost-user (in "
                     "the guest's own memory)")
        ->capture_default_str();
    command
        ->add_option("--runtime-directory", options.runtime_directory,
                     "short path for unix sockets")
        ->excludes(ephemeral);
    command
        ->add_option(
            "--network-driver", options.network_driver,
            "how instances are reached: user (ports of 127.x addresses), tun (addresses of "
            "--public-pool; takes CAP_NET_ADMIN), or auto: user, unless low ports cannot "
            "be bound and tun is possible")
        ->capture_default_str();
    command->add_option("--public-pool", options.public_pool,
                        "CIDR of unused addresses for instances, as 203.0.113.0/24 (/29 to /16)");
    command->add_option("--topology", options.topology_file,
                        "JSON file of regions and zones (default: Amazon's)");
    command->add_option("--limits", options.limits_file,
                        "JSON file of how fast accounts may ask and how much they may have "
                        "(default: far above what tools need)");
    command->add_option("--provided-images", options.provided_images,
                        "directory of the images every account is offered, or none (default: those "
                        "that came with the program)");
    command->add_option("--fake-memory", options.fake_memory_mib,
                        "MiB that the fake hypervisor's host has (0: no limit)");
    command->add_option("--guest-memory-cap", options.guest_memory_cap_mib,
                        "give guests at most this many MiB, whatever their type says (0: no cap)");
    command
        ->add_option("--memory-overcommit", options.memory_overcommit,
                     "guest memory as a multiple of the host's")
        ->check(CLI::Range(0.1, 100.0))
        ->capture_default_str();
    command
        ->add_option("--shutdown-grace", options.shutdown_grace_s,
                     "seconds a guest may take to power off")
        ->capture_default_str();
    command
        ->add_option("--keep-terminated", options.terminated_kept_s,
                     "seconds a terminated instance is still described")
        ->capture_default_str();
    command
        ->add_option(
            "--gc-grace", options.gc_grace_s,
            "seconds that bytes nothing names are kept after garbage collection found them")
        ->capture_default_str();
    command
        ->add_option("--compact-rate", options.compact_mib_per_second,
                     "MiB a second that are read and written when what is needed of a pack that is "
                     "mostly garbage is copied (0: never)")
        ->capture_default_str();
    command
        ->add_option("--scrub-period", options.scrub_period_s,
                     "seconds between two readings of everything that is stored, for damage")
        ->capture_default_str();
    command
        ->add_option("--scrub-rate", options.scrub_mib_per_second,
                     "MiB a second that they read (0: never)")
        ->capture_default_str();
    command->add_flag("--enforce-volume-limits", options.enforce_volume_limits,
                      "volumes are as fast as EC2's of their types (IOPS, throughput, bursts), "
                      "and no faster");
    command
        ->add_option("--total-iops", options.total_iops,
                     "reads and writes a second of all guests' disks together, one of more than "
                     "256 KiB counting as several (0: as many as the host can)")
        ->check(CLI::Range(std::uint64_t{0}, kMostTotalRate))
        ->capture_default_str();
    command
        ->add_option("--total-throughput", options.total_mib_per_second,
                     "MiB a second that all guests' disks together read and write (0: as many as "
                     "the host can)")
        ->check(CLI::Range(std::uint64_t{0}, kMostTotalRate))
        ->capture_default_str();
    command->add_option("--tls-certificate", options.tls_certificate,
                        "PEM file: with --tls-key the API speaks HTTPS alone");
    command->add_option("--tls-key", options.tls_key, "PEM file of its private key");
    command
        ->add_option("--reactors", options.reactors,
                     "threads that work on the requests of guests' disks, each on some of the "
                     "disks (0: one for each processor)")
        ->check(CLI::Range(std::size_t{0}, kiln::block::kMaxReactors))
        ->capture_default_str();
    command->add_option("--reserve", options.reserve,
                        "space kept for journals and the catalog, as 3GiB or 10%: below it new "
                        "data is refused (default: 5%, at least 2GiB)");
    command->add_option("--ready-fd", options.ready_fd, "write one byte here once the API answers");
    command->add_flag("--verbose", options.verbose, "log details");
    command->add_option("--log-format", options.log_format, "text, or json: an object per line")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    command
        ->add_option(
            "COMMAND", options.command,
            "with --ephemeral, after --: run it with the service's address and keys in its "
            "environment once the service is ready, and end with its exit code")
        ->needs(ephemeral);
    command->callback([&options, listen, run] {
        if (options.ephemeral && listen->count() == 0) {
            options.listen = "127.0.0.1:0";
        }
        if (options.data_directory.empty()) {
            options.data_directory = kiln::cli::default_data_directory();
        }
        *run = [&options] { return kiln::daemon::serve(options); };
    });
}

void add_doctor(CLI::App& app, std::string& data_directory, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand(
        "doctor", "say what this host offers, what is missing, and the line that mends it");
    command->add_option("--data", data_directory, "data directory of a service on this host");
    command->callback([&data_directory, run] {
        *run = [&data_directory] { return kiln::daemon::run_doctor(data_directory); };
    });
}

struct StoreOptions {
    std::string data_directory;
    std::string file;
    bool sure = false;
};

std::string directory_of(const StoreOptions& options) {
    return options.data_directory.empty() ? kiln::cli::default_data_directory()
                                          : options.data_directory;
}

void add_restore(CLI::App& app, StoreOptions& options, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand(
        "restore",
        "make a data directory of a backup, whole and checked or not at all; no service runs on it "
        "yet, and its instances come back stopped");
    command->add_option("FILE", options.file, "what kiln backup wrote; - is standard input")
        ->required();
    command->add_option("--data", options.data_directory, "data directory, empty or not there yet");
    command->callback([&options, run] {
        *run = [&options] {
            return kiln::daemon::run_restore(options.file, directory_of(options));
        };
    });
}

void add_reset(CLI::App& app, StoreOptions& options, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand(
        "reset",
        "empty the data directory of a stopped service: guests, images, volumes, accounts, keys");
    command->add_option("--data", options.data_directory, "data directory");
    command->add_flag("--yes", options.sure, "do not ask");
    command->callback([&options, run] {
        *run = [&options] { return kiln::daemon::run_reset(directory_of(options), options.sure); };
    });
}

void add_fsck(CLI::App& app, kiln::daemon::FsckRequest& request, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand(
        "fsck",
        "check the store of a stopped service from end to end: catalog, packs, index, layers, "
        "trees. Exit status 0: whole, 1: mended, 2: damage is left");
    command->add_option("--data", request.data_directory, "data directory");
    command->add_flag("--repair", request.repair,
                      "mend what loses nothing: index rows, files that nothing names");
    command->add_flag("--json", request.json, "print the findings as JSON");
    command->callback([&request, run] {
        if (request.data_directory.empty()) {
            request.data_directory = kiln::cli::default_data_directory();
        }
        *run = [&request] { return kiln::daemon::run_fsck(request); };
    });
}

struct GuestNetworkOptions {
    std::string config;
    int control_fd = -1;
};

// Started by the service, one per instance; of no use to people, hence not shown.
void add_guest_network(CLI::App& app, GuestNetworkOptions& options, std::function<int()>* run) {
    CLI::App* command = app.add_subcommand("guest-network", "")->group("");
    command->add_option("--config", options.config)->required();
    command->add_option("--control-fd", options.control_fd);
    command->callback([&options, run] {
        *run = [&options] {
            return kiln::compute::run_guest_network(options.config, options.control_fd);
        };
    });
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Kiln: machine images, volumes and instances over the EC2 API", "kiln");
    app.require_subcommand(1);
    app.set_version_flag("--version", "kiln " KILN_VERSION);
    kiln::daemon::ServeOptions options;
    options.console = kiln::api::built_in_console();
    std::function<int()> run;
    add_serve(app, options, &run);
    std::string doctor_data;
    add_doctor(app, doctor_data, &run);
    StoreOptions restore;
    add_restore(app, restore, &run);
    StoreOptions reset;
    add_reset(app, reset, &run);
    kiln::daemon::FsckRequest fsck;
    add_fsck(app, fsck, &run);
    GuestNetworkOptions guest_network;
    add_guest_network(app, guest_network, &run);
    kiln::cli::add_commands(app, &run);
    kiln::cli::add_describe_commands(app, &run);
    CLI11_PARSE(app, argc, argv);
    return run();
}
