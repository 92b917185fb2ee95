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

    // Migrates, and gives a new store its name.
    Status prepare() EXCLUDES(write_mutex_);
    const std::string& uuid() const override { return uuid_; }
    Result<std::unique_ptr<Store>> copy_to(const std::string& path) override;

  private:
    // What became of one attempt.
    struct Attempt {
        Status status;
        bool again = false;
    };
    Status run_body(const Body& body) override EXCLUDES(write_mutex_);
    Status read_body(const Body& body) override EXCLUDES(read_mutex_);
    Status attempts(SqliteConnection& connection, const Body& body);
    Attempt attempt(SqliteConnection& connection, const Body& body, bool may_inject);

    Result<std::unique_ptr<SqliteConnection>> take_reader() EXCLUDES(read_mutex_);
    void return_reader(std::unique_ptr<SqliteConnection> reader) EXCLUDES(read_mutex_);

    const SqliteOptions options_;
    io::Rng& rng_;  // synchronises itself
    std::string uuid_;

    // Held for a whole transaction, I/O included: SQLite has one writer, and waiting here is fairer
    // than its busy loop.
    Mutex write_mutex_;
    const std::unique_ptr<SqliteConnection> writer_;
    std::atomic<std::thread::id> writing_thread_{};

    Mutex read_mutex_;
    CondVar reader_free_;
    std::vector<std::unique_ptr<SqliteConnection>> idle_readers_ GUARDED_BY(read_mutex_);
    std::size_t readers_ GUARDED_BY(read_mutex_) = 0;  // idle ones included
};

Status SqliteStore::prepare() {
    MutexLock lock(write_mutex_);
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

SqliteStore::Attempt SqliteStore::attempt(SqliteConnection& connection, const Body& body,
                                          bool may_inject) {
    Status status = connection.begin();
    if (status) {
        Transaction transaction(connection);
        status = body(transaction);
    }
    if (status && may_inject && options_.inject_retry_percent > 0 &&
        rng_.next_u64() % 100 < options_.inject_retry_percent) {
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
        Attempt result = attempt(connection, body, n < kMaxInjected);
        if (!result.again) {
            return std::move(result.status);
        }
    }
    return Error(Code::unavailable, "the catalog is busy: try again");
}

Status SqliteStore::run_body(const Body& body) {
    INVARIANT_MSG(writing_thread_ != std::this_thread::get_id(), "run() within run()");
    MutexLock lock(write_mutex_);
    writing_thread_ = std::this_thread::get_id();
    Status status = attempts(*writer_, body);
    writing_thread_ = std::thread::id();
    return status;
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
