// SPDX-License-Identifier: Apache-2.0
#include "catalog/sqlite_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "catalog/detail/migrations.h"
#include "catalog/detail/sqlite.h"
#include "catalog/detail/sqlite_statistics.h"
#include "util/encoding.h"
#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::catalog {

namespace {

using detail::SqliteConnection;

constexpr int kMaxAttempts = 10;
// A run of injected retries ends, so that a test cannot exhaust the attempts.
constexpr int kMaxInjected = 3;
constexpr std::string_view kUuidKey = "uuid";

std::string make_uuid(io::Rng& rng) {
    std::array<std::uint8_t, 16> bytes{};
    rng.fill(bytes);
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | 0x40U);  // version 4
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
    std::string text = hex_encode(bytes);
    for (const std::size_t at : {20U, 16U, 12U, 8U}) {
        text.insert(at, "-");
    }
    return text;
}

// Made before SQLite does, so that nobody else can read it. An existing file is not even opened:
// closing it would drop the locks that this process may hold on it through SQLite.
Status create_file(const SqliteOptions& options) {
    const int fd = ::open(options.path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ? ok() : Error::from_errno(errno, "create " + options.path);
    }
    ::close(fd);
    const std::size_t slash = options.path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : options.path.substr(0, slash);
    return options.durable ? sync_directory(directory.empty() ? "/" : directory) : ok();
}

class SqliteStore final : public Store {
  public:
    SqliteStore(SqliteOptions options, std::unique_ptr<SqliteConnection> writer, io::Rng& rng)
        : options_(std::move(options)), rng_(rng), writer_(std::move(writer)) {}

    // Migrates, and gives a new store its name. Before anything else.
    Status prepare();
    const std::string& uuid() const override { return uuid_; }
    Result<std::unique_ptr<Store>> copy_to(const std::string& path) override;

  private:
    // What became of one attempt.
    struct Attempt {
        Status status;
        bool again = false;
    };
    // A run() that has not been answered yet.
    struct Waiting {
        const Body& body;
        std::optional<Status> outcome{};
    };
    Status run_body(const Body& body) override EXCLUDES(queue_mutex_);
    Status read_body(const Body& body) override EXCLUDES(read_mutex_);
    std::vector<Status> write(const std::vector<Waiting*>& batch);
    std::optional<std::vector<Status>> write_together(const std::vector<Waiting*>& batch);
    std::optional<Status> write_part(const Body& body);
    Status attempts(SqliteConnection& connection, const Body& body);
    Attempt attempt(SqliteConnection& connection, const Body& body, int n);
    bool inject(int attempt);

    Result<std::unique_ptr<SqliteConnection>> take_reader() EXCLUDES(read_mutex_);
    void return_reader(std::unique_ptr<SqliteConnection> reader) EXCLUDES(read_mutex_);

    const SqliteOptions options_;
    io::Rng& rng_;  // synchronises itself
    std::string uuid_;

    // SQLite has one writer, and waiting here is fairer than its busy loop. Whoever finds nobody
    // writing writes for all who wait: they wait for the medium together.
    Mutex queue_mutex_;
    CondVar written_;
    bool writing_ GUARDED_BY(queue_mutex_) = false;
    std::vector<Waiting*> queue_ GUARDED_BY(queue_mutex_);
    const std::unique_ptr<SqliteConnection> writer_;  // of the thread that writes
    std::atomic<std::thread::id> writing_thread_{};

    Mutex read_mutex_;
    CondVar reader_free_;
    std::vector<std::unique_ptr<SqliteConnection>> idle_readers_ GUARDED_BY(read_mutex_);
    std::size_t readers_ GUARDED_BY(read_mutex_) = 0;  // idle ones included
};

Status SqliteStore::prepare() {
    TRY(writer_->begin());
    Status done = detail::migrate(*writer_, detail::migrations());
    if (done) {
        done = detail::keep_statistics(*writer_);
    }
    if (done) {
        detail::SqlSession& session = *writer_;
        auto stored = Meta(session).find(kUuidKey);
        if (!stored) {
            done = stored.error();
        } else if (*stored) {
            uuid_ = **stored;
        } else {
            uuid_ = make_uuid(rng_);
            done = Meta(session).set(kUuidKey, uuid_);
        }
    }
    if (done) {
        done = writer_->commit();
    }
    writer_->rollback();
    return done ? detail::load_statistics(*writer_) : done;
}

bool SqliteStore::inject(int attempt) {
    return attempt < kMaxInjected && options_.inject_retry_percent > 0 &&
           rng_.next_u64() % 100 < options_.inject_retry_percent;
}

SqliteStore::Attempt SqliteStore::attempt(SqliteConnection& connection, const Body& body, int n) {
    Status status = connection.begin();
    if (status) {
        Transaction transaction(connection);
        status = body(transaction);
    }
    if (status && inject(n)) {
        connection.rollback();
        return {ok(), true};
    }
    if (status) {
        // Refuses if the function went on after a failure.
        status = connection.commit();
    }
    const bool again = connection.lost_race();
    connection.rollback();
    return {std::move(status), again};
}

Status SqliteStore::attempts(SqliteConnection& connection, const Body& body) {
    for (int n = 0; n < kMaxAttempts; ++n) {
        Attempt result = attempt(connection, body, n);
        if (!result.again) {
            return std::move(result.status);
        }
    }
    return Error(Code::unavailable, "the catalog is busy: try again");
}

Status SqliteStore::run_body(const Body& body) {
    INVARIANT_MSG(writing_thread_ != std::this_thread::get_id(), "run() within run()");
    Waiting mine{body};
    std::vector<Waiting*> batch;
    {
        MutexLock lock(queue_mutex_);
        queue_.push_back(&mine);
        while (writing_ && !mine.outcome) {
            written_.wait(lock);
        }
        if (mine.outcome) {
            return std::move(*mine.outcome);
        }
        writing_ = true;
        batch.swap(queue_);
    }
    writing_thread_ = std::this_thread::get_id();
    std::vector<Status> outcomes = write(batch);
    writing_thread_ = std::thread::id();
    // Once another thread has its outcome its part of the batch is gone.
    const MutexLock lock(queue_mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i]->outcome = std::move(outcomes[i]);
    }
    writing_ = false;
    written_.notify_all();
    return std::move(*mine.outcome);
}

std::vector<Status> SqliteStore::write(const std::vector<Waiting*>& batch) {
    if (batch.size() > 1) {
        if (auto outcomes = write_together(batch)) {
            return std::move(*outcomes);
        }
    }
    std::vector<Status> outcomes;
    for (const Waiting* waiting : batch) {
        outcomes.push_back(attempts(*writer_, waiting->body));
    }
    return outcomes;
}

// In one transaction, each behind a savepoint. Nothing: it was lost, none of them has happened, and
// each is to be run by itself.
std::optional<std::vector<Status>> SqliteStore::write_together(const std::vector<Waiting*>& batch) {
    std::vector<Status> outcomes;
    bool lost = !writer_->begin();
    for (std::size_t i = 0; !lost && i < batch.size(); ++i) {
        auto outcome = write_part(batch[i]->body);
        lost = !outcome;
        if (outcome) {
            outcomes.push_back(std::move(*outcome));
        }
    }
    if (!lost) {
        Status committed = writer_->commit();
        lost = writer_->lost_race();
        if (!committed) {
            // Whoever was refused may have been for what another of them wrote.
            outcomes.assign(batch.size(), committed);
        }
    }
    writer_->rollback();
    return lost ? std::nullopt : std::optional(std::move(outcomes));
}

// Nothing: the whole transaction is lost.
std::optional<Status> SqliteStore::write_part(const Body& body) {
    for (int n = 0;; ++n) {
        Status status = writer_->save();
        if (status) {
            Transaction transaction(*writer_);
            status = body(transaction);
        }
        const bool again = status && inject(n);
        if (status && !again) {
            // Refuses if the function went on after a failure.
            status = writer_->keep();
            if (status) {
                return status;
            }
        }
        if (writer_->lost_race() || !writer_->undo()) {
            return std::nullopt;
        }
        if (!again) {
            return status;
        }
    }
}

Status SqliteStore::read_body(const Body& body) {
    TRY_ASSIGN(std::unique_ptr<SqliteConnection> reader, take_reader());
    Status status = attempts(*reader, body);
    return_reader(std::move(reader));
    return status;
}

Result<std::unique_ptr<SqliteConnection>> SqliteStore::take_reader() {
    {
        MutexLock lock(read_mutex_);
        while (idle_readers_.empty() && readers_ >= options_.readers) {
            reader_free_.wait(lock);
        }
        if (!idle_readers_.empty()) {
            std::unique_ptr<SqliteConnection> reader = std::move(idle_readers_.back());
            idle_readers_.pop_back();
            return reader;
        }
        ++readers_;
    }
    auto opened =
        SqliteConnection::open(options_.path, SqliteConnection::Mode::reader, options_.durable);
    if (!opened) {
        MutexLock lock(read_mutex_);
        --readers_;
        reader_free_.notify_one();
    }
    return opened;
}

void SqliteStore::return_reader(std::unique_ptr<SqliteConnection> reader) {
    MutexLock lock(read_mutex_);
    idle_readers_.push_back(std::move(reader));
    reader_free_.notify_one();
}

// A connection of its own: its read transaction lasts as long as the copying, and holds up nobody.
Result<std::unique_ptr<Store>> SqliteStore::copy_to(const std::string& path) {
    std::string quoted;
    for (const char c : path) {
        quoted += c == '\'' ? std::string("''") : std::string(1, c);
    }
    TRY_ASSIGN(const auto source,
               SqliteConnection::open(options_.path, SqliteConnection::Mode::writer, false));
    TRY(source->script("VACUUM INTO '" + quoted + "'"), "copy the catalog to " + path);
    SqliteOptions copy;
    copy.path = path;
    copy.durable = false;
    copy.readers = 1;
    return open_sqlite_store(copy, rng_);
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options, io::Rng& rng) {
    INVARIANT(options.readers > 0);
    TRY(create_file(options));
    TRY_ASSIGN(auto writer, SqliteConnection::open(options.path, SqliteConnection::Mode::writer,
                                                   options.durable));
    auto store = std::make_unique<SqliteStore>(options, std::move(writer), rng);
    TRY(store->prepare(), "open the catalog " + options.path);
    return std::unique_ptr<Store>(std::move(store));
}

Result<std::vector<std::string>> check_sqlite_file(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) {
        return Error(Code::not_found, path + " is not there");
    }
    TRY_ASSIGN(const auto reader,
               SqliteConnection::open(path, SqliteConnection::Mode::reader, false));
    TRY_ASSIGN(const auto rows, reader->query({"PRAGMA integrity_check(100)", {}}));
    std::vector<std::string> problems;
    for (const detail::SqlRow& row : rows) {
        const auto* text = row.empty() ? nullptr : std::get_if<std::string>(&row[0]);
        if (text != nullptr && *text != "ok") {
            problems.push_back(*text);
        }
    }
    return problems;
}

}  // namespace kiln::catalog
