// SPDX-License-Identifier: Apache-2.0
#include "daemon/directories.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "util/fs.h"

namespace kiln::daemon {
namespace {

constexpr char kInstalledImages[] = "/usr/share/kiln/images";

}  // namespace

std::string default_runtime_directory(const std::string& store_uuid) {
    const std::string name = "kiln-" + store_uuid.substr(0, 8);
    if (::geteuid() == 0 && ::access("/run", W_OK) == 0) {
        return "/run/" + name;
    }
    if (const char* runtime = std::getenv("XDG_RUNTIME_DIR");
        runtime != nullptr && ::access(runtime, W_OK) == 0) {
        return std::string(runtime) + "/" + name;
    }
    return fmt::format("/tmp/kiln-{}-{}", ::geteuid(), store_uuid.substr(0, 8));
}

Status prepare_data_directory(const std::string& path) {
    TRY(make_directories(path, 0700));
    TRY(make_directories(path + "/layers", 0700));
    TRY(make_directories(path + "/objects", 0700));
    return make_directories(path + "/instances", 0700);
}

Result<std::string> prepare_runtime_directory(const std::string& wanted,
                                              const std::string& store_uuid) {
    const std::string path = wanted.empty() ? default_runtime_directory(store_uuid) : wanted;
    if (path.size() > kMaxRuntimePath) {
        return Error(Code::invalid_argument,
                     fmt::format("the runtime directory {} is too long for unix sockets: give "
                                 "--runtime-directory a path "
                                 "of at most {} bytes",
                                 path, kMaxRuntimePath));
    }
    // Others may pass through to the sockets that are given to them, and see nothing else.
    TRY(make_directories(path, 0711));
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return Error::from_errno(errno, "look at " + path);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 022) != 0) {
        return Error(Code::permission_denied,
                     path +
                         " belongs to somebody else or others may write to it; remove it or "
                         "give --runtime-directory");
    }
    return path;
}

std::string provided_images_directory(const std::string& wanted) {
    if (!wanted.empty()) {
        return wanted == "none" ? "" : wanted;
    }
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    // build/PRESET/bin/kiln, where the guests are built into build/guests.
    const auto built = program.parent_path().parent_path().parent_path() / "guests";
    for (const std::filesystem::path& directory :
         {built, std::filesystem::path(kInstalledImages)}) {
        if (!program.empty() && std::filesystem::is_directory(directory, error)) {
            return directory.string();
        }
    }
    return "";
}

Status write_client_files(const std::string& data_directory, const control::NewAccount& account,
                          const std::string& endpoint_url, const std::string& region) {
    TRY(write_file_atomic(
        data_directory + "/credentials",
        fmt::format("[kiln]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
                    account.key.id.str(), account.key.secret),
        0600));
    return write_file_atomic(
        data_directory + "/config",
        fmt::format("[profile kiln]\nregion = {}\nendpoint_url = {}\noutput = json\n", region,
                    endpoint_url),
        0600);
}

}  // namespace kiln::daemon
