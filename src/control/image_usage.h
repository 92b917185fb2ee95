// SPDX-License-Identifier: Apache-2.0
// ImageUsage: reports of what other accounts made of an image (AN-3). A report is counted in the
// transaction that makes it, by indexed queries, and kept for thirty days. Its owner learns numbers
// per account, never ids. Thread-safe, blocking.
#pragma once

#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/image_relations.h"
#include "control/tagging.h"
#include "io/clock.h"

namespace kiln::control {

struct CreateUsageReportInput {
    model::ImageId image;
    // Names of types, with options.
    struct Type {
        std::string name;
        std::vector<ReferenceOption> options;
    };
    std::vector<Type> types;
    std::vector<std::string> accounts;  // none: all
    std::vector<TagSpecification> tags;
    std::string client_token;
    std::string request_hash;
    bool dry_run = false;
};

struct DescribeUsageInput {
    std::vector<model::ImageId> images;
    std::vector<model::ImageUsageReportId> reports;
    std::vector<Filter> filters;
    PageRequest page;
    bool dry_run = false;
};

struct UsageReportView {
    model::ImageUsageReport report;
    std::vector<model::Tag> tags;
};

const FilterTable<UsageReportView>& usage_report_filters();

struct UsageEntryView {
    model::ImageUsageReportId report;
    model::ImageId image;
    UnixMillis created;
    model::UsageEntry entry;
    std::size_t number = 0;  // of the entry in its report
};

const FilterTable<UsageEntryView>& usage_entry_filters();

class ImageUsage {
  public:
    ImageUsage(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    // Of the caller's own image (ERR-2).
    Result<model::ImageUsageReportId> create(const Caller& caller,
                                             const CreateUsageReportInput& input);
    Result<Page<UsageReportView>> describe(const Caller& caller, const DescribeUsageInput& input);
    Result<Page<UsageEntryView>> entries(const Caller& caller, const DescribeUsageInput& input);
    Status remove(const Caller& caller, const model::ImageUsageReportId& id, bool dry_run);

  private:
    Result<model::ImageUsageReportId> insert(catalog::Transaction& tx, const Caller& caller,
                                             const CreateUsageReportInput& input,
                                             model::ImageUsageReport report);
    Result<std::vector<model::ImageUsageReport>> list(catalog::Transaction& tx,
                                                      const Caller& caller,
                                                      const DescribeUsageInput& input);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

Error usage_report_not_found(const model::ImageUsageReportId& id);

}  // namespace kiln::control
