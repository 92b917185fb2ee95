// SPDX-License-Identifier: Apache-2.0
#include "cli/images_command.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/import_command.h"
#include "cli/print.h"
#include "util/fs.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

constexpr char kInstalledRecipes[] = "/usr/share/kiln/guests";

struct Recipe {
    const char* name;    // for people
    const char* folder;  // below guests/
    bool takes_mirror;
};
constexpr Recipe kRecipes[] = {{"tiny-linux", "tiny", false}, {"debian-12", "debian", true}};

Result<const Recipe*> find_recipe(const std::string& name) {
    const auto found = std::find_if(std::begin(kRecipes), std::end(kRecipes),
                                    [&](const Recipe& recipe) { return name == recipe.name; });
    if (found != std::end(kRecipes)) {
        return found;
    }
    std::string known;
    for (const Recipe& recipe : kRecipes) {
        known += fmt::format("{}{}", known.empty() ? "" : ", ", recipe.name);
    }
    return Error(Code::not_found,
                 fmt::format("there is no recipe '{}'; there are {}", name, known));
}

// Beside a build (build/PRESET/bin/kiln), or where packages put them.
Result<std::string> recipes_directory() {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto source = program.parent_path().parent_path().parent_path().parent_path() / "guests";
    for (const std::filesystem::path& directory :
         {source, std::filesystem::path(kInstalledRecipes)}) {
        if (std::filesystem::is_directory(directory / kRecipes[0].folder, error)) {
            return directory.string();
        }
    }
    return Error(Code::not_found,
                 fmt::format("no recipes at {} or {}", source.string(), kInstalledRecipes));
}

// $XDG_CACHE_HOME/kiln/images or ~/.cache/kiln/images: what was downloaded once serves again.
Result<std::string> work_directory() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    if (cache == nullptr && home == nullptr) {
        return Error(Code::failed_precondition, "set HOME or XDG_CACHE_HOME: a place to work in");
    }
    const std::string directory =
        (cache != nullptr ? std::string(cache) : std::string(home) + "/.cache") + "/kiln/images";
    TRY(make_directories(directory, 0700));
    return directory;
}

// The recipe's own words go to this program's error output.
Status run_recipe(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    pid_t child = -1;
    const int failed =
        ::posix_spawn(&child, words[0].c_str(), &files, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        return Error::from_errno(failed, "start " + words[0]);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return Error::from_errno(errno, "wait for " + words[0]);
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0
               ? ok()
               : Status(Error(Code::failed_precondition, "the recipe failed; see above"));
}

// The manifest beside the disk (docs/formats/provided-image.md), written by the recipe.
Result<ImportRequest> read_manifest(const std::string& disk) {
    const std::string path = std::filesystem::path(disk).replace_extension(".json").string();
    TRY_ASSIGN(const std::string text, read_file(path));
    const json manifest = json::parse(text, nullptr, false);
    const auto value = [&](const char* member) {
        const auto found = manifest.find(member);
        return found != manifest.end() && found->is_string() ? found->get<std::string>()
                                                             : std::string();
    };
    if (!manifest.is_object() || value("name").empty() || value("parameter").empty()) {
        return Error(Code::data_loss, path + " is no manifest");
    }
    ImportRequest request;
    request.file = disk;
    request.format = "raw";
    request.name = value("name") + "-" + value("version");
    request.description = value("description");
    request.architecture = value("architecture");
    request.boot_mode = value("boot_mode");
    request.root_device_name = value("root_device_name");
    request.parameter = value("parameter");
    return request;
}

Result<ImportRequest> build(const BuildImageRequest& request) {
    TRY_ASSIGN(const Recipe* recipe, find_recipe(request.name));
    if (!request.mirror.empty() && !recipe->takes_mirror) {
        return Error(
            Code::invalid_argument,
            fmt::format("{} is made of the host's own packages: leave --mirror out", recipe->name));
    }
    TRY_ASSIGN(const std::string recipes, recipes_directory());
    TRY_ASSIGN(const std::string work, work_directory());
    const std::string disk = work + "/" + recipe->name + ".raw";
    std::vector<std::string> words = {recipes + "/" + recipe->folder + "/build", "--out", disk,
                                      "--cache", work + "/cache"};
    if (!request.mirror.empty()) {
        words.insert(words.end(), {"--mirror", request.mirror});
    }
    if (request.refresh) {
        words.push_back("--refresh");
    }
    TRY(run_recipe(words));
    return read_manifest(disk);
}

}  // namespace

int run_list_images(const ClientChoices& choices, bool as_json) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    const auto answer = (*client)->call("GET", "/kiln/v1/provided");
    if (!answer) {
        return fail(answer.error());
    }
    const json document = json::parse(*answer);
    if (as_json) {
        std::puts(document.dump(2).c_str());
        return 0;
    }
    for (const json& image : document["images"]) {
        std::printf("%-21s %-40s %s\n", image["imageId"].get<std::string>().c_str(),
                    image["name"].get<std::string>().c_str(),
                    image["parameter"].get<std::string>().c_str());
    }
    if (document["images"].empty()) {
        std::fputs("No images are provided yet; `kiln images build tiny-linux` makes one.\n",
                   stderr);
    }
    return 0;
}

int run_build_image(const ClientChoices& choices, const BuildImageRequest& request) {
    const auto made = build(request);
    return made ? run_import(choices, *made) : fail(made.error());
}

}  // namespace kiln::cli
