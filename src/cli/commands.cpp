// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/account_command.h"
#include "cli/backup_command.h"
#include "cli/choices.h"
#include "cli/client.h"
#include "cli/console_command.h"
#include "cli/diff_command.h"
#include "cli/export_command.h"
#include "cli/gc_command.h"
#include "cli/images_command.h"
#include "cli/import_command.h"
#include "cli/operations_command.h"
#include "cli/print.h"
#include "cli/ssh_command.h"
#include "cli/verify_command.h"
#include "disks/reader.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

int call_and_print(const ClientChoices& choices, const std::string& method,
                   const std::string& target) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    const auto answer = (*client)->call(method, target);
    if (!answer) {
        return fail(answer.error());
    }
    std::puts(json::parse(*answer).dump(2).c_str());
    return 0;
}

void add_import(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto input = std::make_shared<ImportRequest>();
    CLI::App* command = app.add_subcommand(
        "import",
        "make an image of a disk file. What is not given is read from the disk: its partitions, "
        "boot loaders and operating system; a warning says if it does not look bootable");
    add_choices(command, choices);
    command->add_option("FILE", input->file, "the disk")->required();
    command->add_option("--format", input->format,
                        "raw, qcow2, vmdk, vpc or vhdx; by the file's own mark when left out");
    command->add_option(
        "--name", input->name,
        "name of the image; by the system on the disk, as debian-12-x86_64, else by "
        "the file, when left out");
    command->add_option("--description", input->description,
                        "description of the image; the system's name when left out");
    command->add_option("--architecture", input->architecture, "x86_64, i386 or arm64");
    command->add_option("--virtualization-type", input->virtualization_type, "hvm or paravirtual")
        ->capture_default_str();
    command->add_option("--platform", input->platform, "linux or windows")->capture_default_str();
    command->add_option("--boot-mode", input->boot_mode, "legacy-bios, uefi or uefi-preferred");
    command->add_option("--root-device-name", input->root_device_name,
                        "by the system on the disk when left out: /dev/xvda or /dev/sda1");
    command->add_flag("--public", input->everybody, "every account may launch the image");
    command->add_option("--provide", input->parameter,
                        "offer it to every account in every region, under the owner amazon and "
                        "this SSM parameter, /aws/service/... (administrators only)");
    command->add_option("--image-id", input->image_id,
                        "the image's id, ami-... with 8 or 17 hex digits, never used before "
                        "(administrators only)");
    command->add_flag("--json", input->json, "print the answer as JSON");
    command->callback([=] { *run = [=] { return run_import(*choices, *input); }; });
}

// Started by import and by the service, in a sandbox; of no use to people, hence not shown.
void add_read_disk(CLI::App& app, std::function<int()>* run) {
    auto words = std::make_shared<std::vector<std::string>>();
    CLI::App* command = app.add_subcommand("read-disk", "")->group("");
    command->add_option("WORDS", *words)->required();
    command->callback([=] { *run = [=] { return disks::run_reader(*words); }; });
}

void add_export(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto input = std::make_shared<ExportRequest>();
    CLI::App* command = app.add_subcommand(
        "export",
        "write the root disk of an image, or a snapshot, to a disk file. The file appears when it "
        "is complete; until then FILE.part grows, and a failure or ^C removes it");
    add_choices(command, choices);
    command->add_option("ID", input->id, "ami-... or snap-...")->required();
    command->add_option("FILE", input->file, "the disk file to make")->required();
    command
        ->add_option("--format", input->format,
                     "raw (sparse) or qcow2 (for file systems without large sparse files)")
        ->capture_default_str();
    command->add_flag("--force", input->force, "replace FILE if it exists");
    command->add_flag("--json", input->json, "print the answer as JSON");
    command->callback([=] { *run = [=] { return run_export(*choices, *input); }; });
}

void add_backup(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto input = std::make_shared<BackupRequest>();
    CLI::App* command = app.add_subcommand(
        "backup",
        "write the whole store of a running service to a file, for kiln restore (administrators "
        "only). Guests go on; each volume is as after a loss of power at one common instant");
    add_choices(command, choices);
    command->add_option("FILE", input->file, "the file to make; - is standard output")->required();
    command->add_flag("--force", input->force, "replace FILE if it exists");
    command->callback([=] { *run = [=] { return run_backup(*choices, *input); }; });
}

void add_images(CLI::App& app, std::function<int()>* run) {
    CLI::App* images =
        app.add_subcommand("images", "the images every account is offered, under the owner amazon");
    images->require_subcommand(1);
    auto choices = std::make_shared<ClientChoices>();
    auto as_json = std::make_shared<bool>(false);
    CLI::App* list = images->add_subcommand("list", "show them");
    add_choices(list, choices);
    list->add_flag("--json", *as_json, "print the answer as JSON");
    list->callback([=] { *run = [=] { return run_list_images(*choices, *as_json); }; });

    auto request = std::make_shared<BuildImageRequest>();
    CLI::App* build = images->add_subcommand(
        "build", "make one from packages and provide it (administrators only)");
    build->alias("pull");
    add_choices(build, choices);
    build->add_option("NAME", request->name, "tiny-linux or debian-12")->required();
    build->add_option("--mirror", request->mirror,
                      "URL of a package mirror (default: the host's own package sources)");
    build->add_flag("--refresh", request->refresh, "with the packages of today");
    build->callback([=] { *run = [=] { return run_build_image(*choices, *request); }; });
}

void add_inspect(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto id = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand(
        "inspect",
        "show where an instance, a volume or a snapshot really is, and what is on the disk of an "
        "image or a snapshot, as JSON");
    add_choices(command, choices);
    command->add_option("ID", *id, "i-..., vol-..., snap-... or ami-...")->required();
    command->callback(
        [=] { *run = [=] { return call_and_print(*choices, "GET", "/kiln/v1/inspect/" + *id); }; });
}

void add_nbd(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto id = std::make_shared<std::string>();
    auto stop = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand(
        "nbd", "serve a volume read-only on a unix socket of the service's host");
    add_choices(command, choices);
    command->add_option("VOLUME", *id, "vol-...")->required();
    command->add_flag("--stop", *stop, "stop serving it");
    command->callback([=] {
        *run = [=] {
            return call_and_print(*choices, *stop ? "DELETE" : "POST",
                                  "/kiln/v1/volumes/" + *id + "/export");
        };
    });
}

// Single quotes, so that the shell takes the text as it is.
std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) {
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return out + "'";
}

// Clients from before AWS_ENDPOINT_URL (aws 2.9 of Debian 12 among them) would call the public
// cloud: hence the function.
int print_environment(ClientChoices choices) {
    if (choices.data_directory.empty()) {
        choices.data_directory = default_data_directory();
    }
    const auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    std::error_code error;
    const std::string directory = std::filesystem::absolute(choices.data_directory, error).string();
    std::printf("export AWS_SHARED_CREDENTIALS_FILE=%s\n",
                quoted(directory + "/credentials").c_str());
    std::printf("export AWS_CONFIG_FILE=%s\n", quoted(directory + "/config").c_str());
    std::printf("export AWS_PROFILE=kiln\n");
    std::printf("export AWS_REGION=%s AWS_DEFAULT_REGION=%s\n", quoted((*client)->region()).c_str(),
                quoted((*client)->region()).c_str());
    std::printf("export AWS_ENDPOINT_URL=%s\n", quoted((*client)->endpoint()).c_str());
    std::puts("aws() { command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }");
    return 0;
}

void add_env(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    CLI::App* command = app.add_subcommand(
        "env", "print shell lines that point AWS clients here: eval \"$(kiln env)\"");
    command->add_option("--data", choices->data_directory,
                        "data directory of a service on this host");
    command->add_option("--region", choices->region, "region");
    command->callback([=] { *run = [=] { return print_environment(*choices); }; });
}

int print_console_link(const ClientChoices& choices) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    const auto answer = (*client)->call("POST", "/kiln/v1/console/links");
    if (!answer) {
        return fail(answer.error());
    }
    const json link = json::parse(*answer);
    std::printf("%s%s\n", (*client)->endpoint().c_str(), link["path"].get<std::string>().c_str());
    return 0;
}

void add_web(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    CLI::App* command = app.add_subcommand(
        "web", "print a link to the web console that signs one browser in, once, with these keys");
    add_choices(command, choices);
    command->callback([=] { *run = [=] { return print_console_link(*choices); }; });
}

void add_operations(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto request = std::make_shared<OperationsRequest>();
    CLI::App* command = app.add_subcommand(
        "operations", "list the API operations, and which are built; or what one of them takes");
    add_choices(command, choices);
    command->add_option("NAME", request->name, "of one operation, as CopyImage or copy-image");
    command->add_flag("--built", request->built_only, "only those that are built");
    command->add_flag("--json", request->json,
                      "print JSON, with the parameters and filters of what is built");
    command->callback([=] { *run = [=] { return run_operations(*choices, *request); }; });
}

void add_ssh(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto request = std::make_shared<SshRequest>();
    CLI::App* command = app.add_subcommand(
        "ssh", "log in to an instance, through the service: kiln ssh [USER@]i-... [-- COMMAND]");
    add_choices(command, choices);
    command->add_option("INSTANCE", request->destination, "[USER@]i-...")->required();
    command->add_option("-i,--identity", request->identity, "file of the private key");
    command->add_option("--port", request->port, "the instance's port")->capture_default_str();
    command->add_option("-o,--option", request->options, "an option of ssh: Name=value")
        ->allow_extra_args(false);
    command->add_option("COMMAND", request->command, "what to run there, after --");
    command->callback([=] { *run = [=] { return run_ssh(*choices, *request); }; });
}

void add_proxy(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto instance = std::make_shared<std::string>();
    auto port = std::make_shared<std::uint16_t>(0);
    CLI::App* command = app.add_subcommand(
        "proxy",
        "connect standard input and output to a port of an instance, for ssh's ProxyCommand");
    add_choices(command, choices);
    command->add_option("INSTANCE", *instance, "i-...")->required();
    command->add_option("PORT", *port, "TCP port of the instance")->required();
    command->callback([=] { *run = [=] { return run_proxy(*choices, *instance, *port); }; });
}

void add_console(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto instance = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand(
        "console", "connect this terminal to an instance's serial console; ^] ends it");
    add_choices(command, choices);
    command->add_option("INSTANCE", *instance, "i-...")->required();
    command->callback([=] { *run = [=] { return run_console(*choices, *instance); }; });
}

void add_logs(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto instance = std::make_shared<std::string>();
    auto follow = std::make_shared<bool>(false);
    CLI::App* command =
        app.add_subcommand("logs", "print what an instance wrote to its serial console");
    add_choices(command, choices);
    command->add_option("INSTANCE", *instance, "i-...")->required();
    command->add_flag("-f,--follow", *follow, "go on with what it writes, until interrupted");
    command->callback([=] { *run = [=] { return run_logs(*choices, *instance, *follow); }; });
}

void add_gc(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto as_json = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand(
        "gc", "take back the space of deleted contents now, and wait for it (administrators only)");
    add_choices(command, choices);
    command->add_flag("--json", *as_json, "print the answer as JSON");
    command->callback([=] { *run = [=] { return run_gc(*choices, *as_json); }; });
}

void add_diff(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto request = std::make_shared<DiffRequest>();
    CLI::App* command = app.add_subcommand(
        "diff",
        "list the blocks of 512 KiB in which two snapshots, or the root disks of two images, "
        "differ: a line with offset and length of each range, in bytes");
    add_choices(command, choices);
    command->add_option("FROM", request->from, "snap-... or ami-...")->required();
    command->add_option("TO", request->to, "snap-... or ami-...")->required();
    command->add_flag("--json", request->json, "print the answer as JSON");
    command->callback([=] { *run = [=] { return run_diff(*choices, *request); }; });
}

void add_verify(CLI::App& app, std::function<int()>* run) {
    auto choices = std::make_shared<ClientChoices>();
    auto request = std::make_shared<VerifyRequest>();
    CLI::App* command = app.add_subcommand(
        "verify",
        "read everything an image, a snapshot or a volume consists of, check every digest and "
        "check sum, and say what is damaged; the exit status is 1 then");
    add_choices(command, choices);
    command->add_option("ID", request->id, "ami-..., snap-... or vol-...")->required();
    command->add_flag("--json", request->json, "print the answer as JSON");
    command->callback([=] { *run = [=] { return run_verify(*choices, *request); }; });
}

}  // namespace

void add_commands(CLI::App& app, std::function<int()>* run) {
    add_import(app, run);
    add_read_disk(app, run);
    add_export(app, run);
    add_images(app, run);
    add_inspect(app, run);
    add_nbd(app, run);
    add_ssh(app, run);
    add_proxy(app, run);
    add_console(app, run);
    add_logs(app, run);
    add_env(app, run);
    add_web(app, run);
    add_operations(app, run);
    add_gc(app, run);
    add_diff(app, run);
    add_verify(app, run);
    add_backup(app, run);
    add_account_commands(app, run);
}

}  // namespace kiln::cli
