// SPDX-License-Identifier: Apache-2.0
#include "block/detail/data_crcs.h"

#include <algorithm>

#include "block/detail/join.h"
#include "block/limits.h"
#include "util/crc32c.h"

namespace kiln::block {

DataCrcHeader data_crcs_of(const Superblock& superblock) {
    return {.store_uuid = superblock.store_uuid,
            .volume_id = superblock.volume_id,
            .layer_id = superblock.layer_id,
            .size_bytes = superblock.size_bytes};
}

void DataCrcs::open(Done done) {
    if (open_) {
        done(ok());
        return;
    }
    opening_.push_back(std::move(done));
    if (opening_.size() > 1) {
        return;
    }
    context_.io.submit(
        io::Op::open(data_crc_path(context_, layer_), {}), [this](Result<std::uint64_t> file) {
            if (!file) {
                opened(std::move(file.error()));
                return;
            }
            file_ = io::FileId{static_cast<std::int64_t>(*file)};
            context_.io.submit(io::Op::size(file_), [this](Result<std::uint64_t> size) {
                if (size) {
                    check_size(*size);
                } else {
                    opened(std::move(size.error()));
                }
            });
        });
}

void DataCrcs::check_size(std::uint64_t bytes) {
    if (bytes != data_crc_file_bytes(expected_.size_bytes)) {
        opened(Error(Code::data_loss,
                     "the file of its data's check sums has " + std::to_string(bytes) + " bytes"));
        return;
    }
    header_ = io::Buffer(kDataCrcHeaderBytes);
    context_.io.submit(io::Op::read(file_, 0, header_.mutable_view()),
                       [this](Result<std::uint64_t> got) {
                           if (got) {
                               check_header(*got);
                           } else {
                               opened(std::move(got.error()));
                           }
                       });
}

void DataCrcs::check_header(std::uint64_t got) {
    auto header = decode_data_crc_header(header_.view().first(got));
    if (!header) {
        opened(std::move(header.error()));
    } else if (*header != expected_) {
        opened(Error(Code::data_loss, "the check sums are those of layer " + header->layer_id));
    } else {
        seed_ = data_crc_seed(header_.view());
        opened(ok());
    }
}

void DataCrcs::opened(Status status) {
    header_ = {};
    open_ = status.has_value();
    if (!open_ && file_.valid()) {
        context_.io.submit(io::Op::close(file_), [](Result<std::uint64_t>) {});
        file_ = {};
    }
    auto waiting = std::move(opening_);
    opening_.clear();
    for (Done& done : waiting) {
        done(status);
    }
}

// What a warm read pays beside its data: one line of the table, and none of the page, which is on
// its way to the processor's cache while the device works.
DataCrcs::PageRef DataCrcs::at_hand(BlockRange range) {
    const std::uint64_t number = data_crc_page_of(range.first);
    const Kept* const kept = find(number);
    if (kept == nullptr || data_crc_page_of(range.end() - 1) != number) {
        return nullptr;
    }
    prefetch_data_crc(kept->bytes, range.first);
    return kept->page;
}

const DataCrcs::Kept* DataCrcs::find(std::uint64_t number) const {
    if (kept_.empty()) {
        return nullptr;
    }
    const Kept& kept = kept_[number % kept_.size()];
    return kept.page && kept.number == number ? &kept : nullptr;
}

void DataCrcs::fetch(BlockRange range, Pages& into, Done done) {
    const std::uint64_t first = data_crc_page_of(range.first);
    const std::uint64_t last = data_crc_page_of(range.end() - 1);
    into.resize(last - first + 1);
    const auto join = Join::create(std::move(done));
    for (std::uint64_t number = first; number <= last; ++number) {
        page(number,
             [&place = into[number - first], done = join->arm()](Result<PageRef> got) mutable {
                 if (got) {
                     place = *std::move(got);
                 }
                 done(got ? ok() : Status(std::move(got.error())));
             });
    }
    join->ready();
}

Status DataCrcs::check(BlockRange range, ByteView bytes, std::span<const PageRef> pages) const {
    const std::uint64_t first_page = data_crc_page_of(range.first);
    for (std::uint64_t block = range.first; block < range.end(); ++block) {
        const ByteView data = bytes.subspan((block - range.first) * kBlockBytes, kBlockBytes);
        const io::Buffer& page = *pages[data_crc_page_of(block) - first_page];
        if (crc32c(data) != get_data_crc(page.view(), block)) {
            return Error(Code::data_loss, "layer " + layer_.str() + ": the data at offset " +
                                              std::to_string(block * kBlockBytes) +
                                              " does not have its check sum");
        }
    }
    return ok();
}

void DataCrcs::page(std::uint64_t number, io::Callback<Result<PageRef>> done) {
    if (const Kept* const kept = find(number)) {
        done(kept->page);
        return;
    }
    auto& waiting = reading_[number];
    waiting.push_back(std::move(done));
    if (waiting.size() > 1) {
        return;
    }
    open([this, number](Status status) {
        if (status) {
            read_page(number);
            return;
        }
        Error error = std::move(status.error());
        // Somebody knows that there is one: it is lost.
        page_read(number, error.code() == Code::not_found
                              ? Error(Code::data_loss, "the check sums of its data are missing")
                              : std::move(error));
    });
}

void DataCrcs::read_page(std::uint64_t number) {
    auto buffer = std::make_shared<io::Buffer>(kDataCrcPageBytes);
    const MutableByteView into = buffer->mutable_view();
    context_.io.submit(
        io::Op::read(file_, data_crc_page_offset(number), into),
        [this, number, buffer = std::move(buffer)](Result<std::uint64_t> got) mutable {
            if (!got) {
                page_read(number, std::move(got.error()));
                return;
            }
            Status good = check_data_crc_page(buffer->view().first(*got), seed_, number);
            page_read(number, good ? Result<PageRef>(std::move(buffer)) : std::move(good.error()));
        });
}

void DataCrcs::page_read(std::uint64_t number, Result<PageRef> page) {
    if (page) {
        keep(number, *page);
    } else {
        page = std::move(page.error()).with("layer " + layer_.str());
    }
    const auto found = reading_.find(number);
    auto waiting = std::move(found->second);
    reading_.erase(found);
    for (auto& done : waiting) {
        done(page);
    }
}

void DataCrcs::keep(std::uint64_t number, PageRef page) {
    if (kept_.empty()) {
        const std::uint64_t blocks = expected_.size_bytes / kBlockBytes;
        kept_.resize(std::min<std::uint64_t>(data_crc_page_of(blocks) + 1, kDataCrcPagesKept));
    }
    const std::uint8_t* const bytes = page->data();
    kept_[number % kept_.size()] = {number, bytes, std::move(page)};
}

void DataCrcs::close(Done done) {
    if (!open_) {
        done(ok());
        return;
    }
    open_ = false;
    context_.io.submit(io::Op::close(file_),
                       [done = std::move(done)](Result<std::uint64_t> closed) mutable {
                           done(closed ? ok() : Status(std::move(closed.error())));
                       });
}

}  // namespace kiln::block
