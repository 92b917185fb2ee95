// SPDX-License-Identifier: Apache-2.0
#include "control/provided_images.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "control/api_errors.h"
#include "control/image_copies.h"
#include "control/public_parameters.h"
#include "util/fs.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20;
constexpr std::uint64_t kAlignment = block::kBlockBytes;

Caller provider(const std::string& region) {
    Caller caller;
    caller.account = model::AccountId(kProviderAccount);
    caller.region = region;
    return caller;
}

Error stopped() {
    return Error(Code::cancelled, "the service ends");
}

// The next data at or after `offset`, aligned down; the file's size when there is none.
Result<std::uint64_t> next_data(int fd, std::uint64_t offset, std::uint64_t size) {
    const off_t found = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0) {
        return std::max(offset, static_cast<std::uint64_t>(found) / kAlignment * kAlignment);
    }
    if (errno == ENXIO) {
        return size;
    }
    if (errno == EINVAL) {
        return offset;  // a file system that does not know holes
    }
    return Error::from_errno(errno, "lseek");
}

Status copy_disk(int fd, Import& import, const std::atomic<bool>& stop) {
    Bytes piece(kPieceBytes);
    std::uint64_t offset = 0;
    const std::uint64_t size = import.size_bytes();
    while (offset < size) {
        if (stop) {
            return stopped();
        }
        TRY_ASSIGN(const std::uint64_t data, next_data(fd, offset, size));
        TRY(import.skip_to(data));
        offset = data;
        const std::size_t wanted = std::min<std::uint64_t>(piece.size(), size - offset);
        const ssize_t n =
            wanted == 0 ? 0 : ::pread(fd, piece.data(), wanted, static_cast<off_t>(offset));
        if (n < 0) {
            return Error::from_errno(errno, "read");
        }
        if (n == 0 && wanted != 0) {
            return Error(Code::data_loss, "the disk became shorter");
        }
        TRY(import.write(ByteView(piece).first(static_cast<std::size_t>(n))));
        offset += static_cast<std::size_t>(n);
    }
    return ok();
}

}  // namespace

void ProvidedImages::provide(const std::string& directory, const std::atomic<bool>& stop) {
    std::error_code error;
    std::vector<std::string> manifests;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() == ".json") {
            manifests.push_back(entry->path().string());
        }
    }
    if (error) {
        log_warn("images",
                 fmt::format("no images are provided from {}: {}", directory, error.message()));
    }
    std::sort(manifests.begin(), manifests.end());
    for (const std::string& manifest : manifests) {
        const Status provided = provide_one(manifest, stop);
        if (stop) {
            return;
        }
        if (!provided) {
            log_warn("images",
                     fmt::format("{} is not provided: {}", manifest, provided.error().to_string()));
        }
    }
}

Status ProvidedImages::provide_one(const std::string& manifest, const std::atomic<bool>& stop) {
    TRY_ASSIGN(const std::string text, read_file(manifest));
    TRY_ASSIGN(const ProvidedImage wanted, parse_provided_image(text));
    TRY_ASSIGN(auto image, find(wanted.name + "-" + wanted.version));
    if (!image) {
        const std::string disk =
            (std::filesystem::path(manifest).parent_path() / wanted.disk).string();
        TRY_ASSIGN(image, import(wanted, disk, stop));
        log_info("images", fmt::format("{} is provided as {}", image->name, wanted.parameter));
    }
    return spread(*image);
}

Status ProvidedImages::ensure_account() {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto there, tx.accounts().find(model::AccountId(kProviderAccount)));
        if (there) {
            // Made by hand before: its images would be shown as the provider's.
            return there->alias == kProviderAlias
                       ? ok()
                       : Status(
                             Error(Code::already_exists,
                                   fmt::format("the account {} is somebody's", kProviderAccount)));
        }
        model::Account account;
        account.id = model::AccountId(kProviderAccount);
        account.name = "provided images";
        account.alias = kProviderAlias;
        account.created = parts_.clock.now();
        return tx.accounts().insert(account);
    });
}

Result<std::optional<model::Image>> ProvidedImages::find(const std::string& name) {
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<std::optional<model::Image>> {
        catalog::ImageQuery query;
        query.owners = {model::AccountId(kProviderAccount)};
        query.names = {name};
        TRY_ASSIGN(const auto images, tx.images().list(query));
        return images.empty() ? std::nullopt : std::optional<model::Image>(images.front());
    });
}

Result<model::Image> ProvidedImages::import(const ProvidedImage& image, const std::string& disk,
                                            const std::atomic<bool>& stop) {
    const UniqueFd fd(::open(disk.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
        return Error::from_errno(errno, "open " + disk);
    }
    if (!S_ISREG(status.st_mode)) {
        return Error(Code::invalid_argument, disk + " is not a file");
    }
    ImportInput input;
    input.size_bytes = static_cast<std::uint64_t>(status.st_size);
    input.image.name = image.name + "-" + image.version;
    input.image.description = image.description;
    input.image.architecture = image.architecture;
    input.image.virtualization_type = model::VirtualizationType::hvm;
    input.image.ena_support = true;
    input.image.boot_mode = image.boot_mode;
    input.image.root_device_name = image.root_device_name;
    input.image.public_parameter = image.parameter;
    TRY_ASSIGN(const auto import, begin_as_provider(std::move(input)));
    TRY(copy_disk(fd.get(), *import, stop), "read " + disk);
    TRY_ASSIGN(const Imported made, import->finish());
    return parts_.store.read(
        [&](catalog::Transaction& tx) { return tx.images().get(made.image_id); });
}

Result<std::unique_ptr<Import>> ProvidedImages::begin_as_provider(ImportInput input) {
    TRY(ensure_account());
    input.image.everybody = true;
    return imports_.begin(provider(parts_.topology.regions().front().name), std::move(input));
}

Result<std::unique_ptr<Import>> ProvidedImages::begin(const Caller& caller, ImportInput input) {
    if (!caller.administrator) {
        return Error::api(Code::permission_denied, "UnauthorizedOperation",
                          "Only an administrator may provide an image to every account.");
    }
    if (!is_public_parameter_name(input.image.public_parameter)) {
        return errors::invalid_parameter_value(
            "The parameter of a provided image is a name below /aws/service/ of letters, digits "
            "and / - _ .");
    }
    return begin_as_provider(std::move(input));
}

Result<model::ImageId> ProvidedImages::spread(const Caller& caller, const model::ImageId& image) {
    TRY_ASSIGN(const model::Image made,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.images().get(image); }));
    TRY(spread(made));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<model::ImageId> {
        catalog::ImageQuery query;
        query.owners = {made.owner_id};
        query.region = caller.region;
        query.names = {made.name};
        TRY_ASSIGN(const auto here, tx.images().list(query));
        return here.empty() ? image : here.front().id;
    });
}

// Rows alone: the content is the same everywhere.
Status ProvidedImages::spread(const model::Image& image) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        if (image.state != model::ImageState::available) {
            return ok();
        }
        for (const Region& region : parts_.topology.regions()) {
            catalog::ImageQuery query;
            query.owners = {image.owner_id};
            query.region = region.name;
            query.names = {image.name};
            TRY_ASSIGN(const auto there, tx.images().list(query));
            if (!there.empty()) {
                continue;
            }
            model::Image copy = image;
            copy.id = model::make_id<model::ImageId>(parts_.rng);
            copy.region = region.name;
            copy.created = parts_.clock.now();
            TRY(copy_snapshots(tx, copy, [&](model::Snapshot snapshot) -> Result<model::Snapshot> {
                snapshot.id = model::make_id<model::SnapshotId>(parts_.rng);
                snapshot.set = {};
                snapshot.region = region.name;
                return snapshot;
            }));
            TRY(tx.images().insert(copy));
        }
        return ok();
    });
}

}  // namespace kiln::control
