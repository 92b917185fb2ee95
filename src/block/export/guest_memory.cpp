// SPDX-License-Identifier: Apache-2.0
#include "block/export/guest_memory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace kiln::block::vhost {
namespace {

static_assert(std::endian::native == std::endian::little, "rings are read as they lie");

constexpr std::uint64_t kPage = 4096;

Status check_file(int descriptor, std::uint64_t end) {
    const int seals = ::fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
        return Error(Code::invalid_argument, "shared memory that is not sealed against shrinking");
    }
    struct stat info {};
    struct statfs system {};
    if (::fstat(descriptor, &info) != 0 || ::fstatfs(descriptor, &system) != 0) {
        return Error::from_errno(errno, "look at shared memory");
    }
    if (static_cast<std::uint32_t>(system.f_type) == HUGETLBFS_MAGIC) {
        return Error(Code::invalid_argument, "shared memory of huge pages");
    }
    if (info.st_size < 0 || end > static_cast<std::uint64_t>(info.st_size)) {
        return Error(Code::invalid_argument, "shared memory is shorter than was said");
    }
    return ok();
}

MutableByteView part_of(MutableByteView region, std::uint64_t offset, std::uint64_t bytes) {
    return region.subspan(offset, std::min<std::uint64_t>(bytes, region.size() - offset));
}

}  // namespace

SharedMapping::~SharedMapping() {
    if (start_ != nullptr) {
        ::munmap(start_, mapped_);
    }
}

Result<SharedMapping> SharedMapping::map(int descriptor, std::uint64_t offset,
                                         std::uint64_t bytes) {
    std::uint64_t end = 0;
    if (bytes == 0 || !checked_add(offset, bytes, end)) {
        return Error(Code::invalid_argument, "range of shared memory");
    }
    TRY(check_file(descriptor, end));
    const std::uint64_t first = offset / kPage * kPage;
    void* start = ::mmap(nullptr, end - first, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                         static_cast<off_t>(first));
    if (start == MAP_FAILED) {
        return Error::from_errno(errno, "map shared memory");
    }
    // A guest's memory has no place in our core file.
    ::madvise(start, end - first, MADV_DONTDUMP);
    SharedMapping mapping;
    mapping.start_ = start;
    mapping.mapped_ = end - first;
    mapping.view_ = {static_cast<std::uint8_t*>(start) + (offset - first), bytes};
    return mapping;
}

Result<std::shared_ptr<const GuestMemory>> GuestMemory::map(const MemoryTable& table,
                                                            const std::vector<UniqueFd>& files) {
    INVARIANT(files.size() == table.regions.size());
    auto memory = std::make_shared<GuestMemory>(std::vector<Region>{});
    for (std::size_t i = 0; i < files.size(); ++i) {
        const MemoryRegion& region = table.regions[i];
        TRY_ASSIGN(auto mapping,
                   SharedMapping::map(files[i].get(), region.file_offset, region.bytes));
        memory->regions_.push_back({region.guest_address, region.user_address, mapping.view()});
        memory->mappings_.push_back(std::move(mapping));
    }
    return std::shared_ptr<const GuestMemory>(std::move(memory));
}

MutableByteView GuestMemory::at(std::uint64_t guest_address, std::uint64_t bytes) const {
    for (const Region& region : regions_) {
        if (guest_address >= region.guest_address &&
            guest_address - region.guest_address < region.bytes.size()) {
            return part_of(region.bytes, guest_address - region.guest_address, bytes);
        }
    }
    return {};
}

MutableByteView GuestMemory::at_user(std::uint64_t user_address, std::uint64_t bytes) const {
    for (const Region& region : regions_) {
        if (user_address >= region.user_address &&
            user_address - region.user_address < region.bytes.size()) {
            const auto part = part_of(region.bytes, user_address - region.user_address, bytes);
            return part.size() == bytes ? part : MutableByteView{};
        }
    }
    return {};
}

}  // namespace kiln::block::vhost
