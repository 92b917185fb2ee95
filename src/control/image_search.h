// SPDX-License-Identifier: Apache-2.0
// ImageSearch: one DescribeImages (DI-1 .. DI-12) within one transaction.
//
// What a request asks for is decided in one place, shows(); the catalog's query only narrows what
// is read, so that a condition which it cannot express costs time and not correctness. Without ids
// the search reads in chunks from the page's start until the page is full. One owner thread.
#pragma once

#include "control/describe_scope.h"
#include "control/images.h"

namespace kiln::control {

class ImageSearch {
  public:
    // InvalidUserID.Malformed, and what filters and pages refuse.
    static Result<ImageSearch> create(const Caller& caller, const DescribeImagesInput& input,
                                      UnixMillis now);
    Result<Page<ImageView>> run(catalog::Transaction& tx) const;

  private:
    ImageSearch(const Caller& caller, const DescribeImagesInput& input, UnixMillis now)
        : caller_(caller), input_(input), now_(now) {}

    bool has_permission(const model::Image& image) const;
    bool shows(const ImageView& view) const;

    catalog::ImageQuery narrowed() const;
    void narrow_by(const Filter& filter, catalog::ImageQuery& query) const;

    Result<std::vector<ImageView>> read_named(catalog::Transaction& tx) const;
    Result<std::vector<ImageView>> read_all(catalog::Transaction& tx) const;

    const Caller& caller_;
    const DescribeImagesInput& input_;
    UnixMillis now_;
    PageStart start_;
    OwnerScope owners_;
    SharedScope executable_by_;
};

}  // namespace kiln::control
