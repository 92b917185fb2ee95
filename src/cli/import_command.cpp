// SPDX-License-Identifier: Apache-2.0
#include "cli/import_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/print.h"
#include "util/encoding.h"
#include "util/fs.h"

namespace kiln::cli {
namespace {

struct DiskFile {
    UniqueFd fd;
    std::uint64_t size = 0;
};

Result<DiskFile> open_disk(const std::string& path) {
    DiskFile disk;
    disk.fd = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!disk.fd || ::fstat(disk.fd.get(), &info) != 0) {
        return Error::from_errno(errno, "open " + path);
    }
    if (!S_ISREG(info.st_mode)) {
        return Error(Code::invalid_argument, path + " is not a regular file");
    }
    disk.size = static_cast<std::uint64_t>(info.st_size);
    return disk;
}

std::string target_of(const ImportRequest& request, std::uint64_t size) {
    std::string target =
        fmt::format("/kiln/v1/imports?architecture={}&name={}&root-device-name={}&size={}",
                    percent_encode(request.architecture), percent_encode(request.name),
                    percent_encode(request.root_device_name), size);
    if (!request.description.empty()) {
        target += "&description=" + percent_encode(request.description);
    }
    if (!request.boot_mode.empty()) {
        target += "&boot-mode=" + percent_encode(request.boot_mode);
    }
    return target;
}

Result<std::string> upload(Client& client, const ImportRequest& request) {
    TRY_ASSIGN(const DiskFile disk, open_disk(request.file));
    Progress progress("importing " + request.file, disk.size);
    return client.upload(target_of(request, disk.size), disk.size,
                         [&](MutableByteView out) -> Result<std::size_t> {
                             ssize_t n = 0;
                             do {
                                 n = ::read(disk.fd.get(), out.data(), out.size());
                             } while (n < 0 && errno == EINTR);
                             if (n < 0) {
                                 return Error::from_errno(errno, "read " + request.file);
                             }
                             if (n == 0) {
                                 return Error(Code::failed_precondition,
                                              request.file + " became shorter while it was read");
                             }
                             progress.advance(static_cast<std::uint64_t>(n));
                             return static_cast<std::size_t>(n);
                         });
}

}  // namespace

int run_import(const ClientChoices& choices, const ImportRequest& request) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    const auto answer = upload(**client, request);
    if (!answer) {
        return fail(answer.error());
    }
    if (request.json) {
        std::puts(answer->c_str());
        return 0;
    }
    const auto document = nlohmann::json::parse(*answer);
    std::printf("image     %s\nsnapshot  %s\nvolume    %u GiB, %.1f MiB of data\n",
                document["imageId"].get<std::string>().c_str(),
                document["snapshotId"].get<std::string>().c_str(),
                document["volumeSizeGiB"].get<unsigned>(),
                document["dataBytes"].get<double>() / (1 << 20));
    return 0;
}

}  // namespace kiln::cli
