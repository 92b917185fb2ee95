// SPDX-License-Identifier: Apache-2.0
// Store: the transactional memory of the service, the only thing that mutates (D24).
//
//   store.run([&](Transaction& tx) -> Result<ImageId> {
//       TRY_ASSIGN(auto snapshot, tx.snapshots().get(id));
//       ...
//       TRY(tx.images().insert(image));
//       return image.id;
//   });
//
// * Transactions are serializable: the outcome is as if they had run one after the other. Reads
//   that decide writes belong in the same transaction as the writes.
// * The function may run several times, when its transaction lost a race, and on another thread
//   that commits for this one as well: it must have no effect outside, and takes no lock. It gets
//   nothing but committed state each time, or what will be committed with it. It returns promptly:
//   no waiting, no network, no nested run() or read().
// * An error rolls everything back. Success is durable when run() returns (unless the store was
//   opened as ephemeral).
// * `unavailable` when the race was lost too often; `out_of_space`, `io_error`, `data_loss` as the
//   database says.
//
// The interface offers nothing that SQLite and PostgreSQL do not both have. Thread-safe, and
// blocking: never on a reactor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "catalog/addresses.h"
#include "catalog/block_uploads.h"
#include "catalog/jobs.h"
#include "catalog/packs.h"
#include "catalog/repository.h"
#include "catalog/tags.h"
#include "util/result.h"

namespace kiln::catalog {

// Single facts about the whole store, by name.
class Meta {
  public:
    explicit Meta(detail::SqlSession& session) : session_(session) {}
    Result<std::optional<std::string>> find(std::string_view key);
    Status set(std::string_view key, std::string_view value);

  private:
    detail::SqlSession& session_;
};

// One owner thread; valid within the function it was given to.
class Transaction {
  public:
    explicit Transaction(detail::SqlSession& session) : session_(session) {}
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    Repository<model::Account> accounts() { return Repository<model::Account>(session_); }
    Repository<model::AccessKey> access_keys() { return Repository<model::AccessKey>(session_); }
    Repository<model::Image> images() { return Repository<model::Image>(session_); }
    Repository<model::Snapshot> snapshots() { return Repository<model::Snapshot>(session_); }
    Repository<model::Volume> volumes() { return Repository<model::Volume>(session_); }
    Repository<model::Instance> instances() { return Repository<model::Instance>(session_); }
    Repository<model::ReplaceRootTask> replace_root_tasks() {
        return Repository<model::ReplaceRootTask>(session_);
    }
    Repository<model::KeyPair> key_pairs() { return Repository<model::KeyPair>(session_); }
    Repository<model::LaunchTemplate> launch_templates() {
        return Repository<model::LaunchTemplate>(session_);
    }
    Repository<model::LaunchTemplateVersion> launch_template_versions() {
        return Repository<model::LaunchTemplateVersion>(session_);
    }
    Repository<model::Role> roles() { return Repository<model::Role>(session_); }
    Repository<model::InstanceProfile> instance_profiles() {
        return Repository<model::InstanceProfile>(session_);
    }
    Repository<model::User> users() { return Repository<model::User>(session_); }
    Repository<model::ImageUsageReport> usage_reports() {
        return Repository<model::ImageUsageReport>(session_);
    }
    Repository<model::StoredParameter> parameters() {
        return Repository<model::StoredParameter>(session_);
    }
    Repository<model::RegionSettings> region_settings() {
        return Repository<model::RegionSettings>(session_);
    }
    Repository<model::Vpc> vpcs() { return Repository<model::Vpc>(session_); }
    Repository<model::Subnet> subnets() { return Repository<model::Subnet>(session_); }
    Repository<model::SecurityGroup> security_groups() {
        return Repository<model::SecurityGroup>(session_);
    }
    Repository<model::Content> contents() { return Repository<model::Content>(session_); }
    Repository<model::LayerRecord> layers() { return Repository<model::LayerRecord>(session_); }
    Repository<model::IdempotencyToken> tokens() {
        return Repository<model::IdempotencyToken>(session_);
    }
    Packs packs() { return Packs(session_); }
    BlockUploads uploads() { return BlockUploads(session_); }
    Tags tags() { return Tags(session_); }
    Addresses addresses() { return Addresses(session_); }
    Jobs jobs() { return Jobs(session_); }
    Meta meta() { return Meta(session_); }

  private:
    detail::SqlSession& session_;
};

class Store {
  public:
    virtual ~Store() = default;

    // `fn` is Result<T>(Transaction&) or Status(Transaction&).
    template <class F>
    auto run(F fn) {
        return collect(fn, [this](const Body& body) { return run_body(body); });
    }
    // The same for reading alone, over one consistent snapshot; several may run beside each other
    // and beside a run(). A write in it is a bug and stops the process.
    template <class F>
    auto read(F fn) {
        return collect(fn, [this](const Body& body) { return read_body(body); });
    }

    // Names this store for ever; made with it.
    virtual const std::string& uuid() const = 0;
    // Writes all that is committed at one moment into a new file, while others read and write here,
    // and opens that. Once it is closed the file is all there is of it. Blocks for as long as it
    // takes to read everything.
    virtual Result<std::unique_ptr<Store>> copy_to(const std::string& path) = 0;

  protected:
    using Body = std::function<Status(Transaction&)>;

  private:
    virtual Status run_body(const Body& body) = 0;
    virtual Status read_body(const Body& body) = 0;

    template <class F, class Runner>
    static auto collect(F& fn, Runner runner) {
        using R = std::invoke_result_t<F&, Transaction&>;
        std::optional<R> outcome;
        Status done = runner([&](Transaction& transaction) -> Status {
            outcome.emplace(fn(transaction));
            if (!*outcome) {
                return outcome->error();
            }
            return ok();
        });
        if (!done) {
            return R(std::move(done).error());
        }
        return R(std::move(*outcome));
    }
};

}  // namespace kiln::catalog
