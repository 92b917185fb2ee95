// SPDX-License-Identifier: Apache-2.0
// Pictures of a machine's screen. QEMU writes into a file that is made for it here, so that it need
// not be able to make files itself, and that nobody else can put in its place.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "compute/qemu/driver.h"

namespace kiln::compute {
namespace {

// One picture at a time: made before, and gone when the picture is read.
class PictureFile {
  public:
    static Result<PictureFile> create(const RuntimeRecord& record) {
        PictureFile file(record.runtime_directory + "/screen.ppm");
        ::unlink(file.path_.c_str());  // of a process that was killed
        file.fd_ = UniqueFd(
            ::open(file.path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file.fd_) {
            return Error::from_errno(errno, "make " + file.path_);
        }
        TRY(grant_socket(record, file.path_));
        return file;
    }
    PictureFile(PictureFile&& other) noexcept
        : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
    PictureFile& operator=(PictureFile&&) = delete;
    ~PictureFile() {
        if (!path_.empty()) {
            ::unlink(path_.c_str());
        }
    }

    const std::string& path() const { return path_; }

    Result<std::string> read() const {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) {
            return Error::from_errno(errno, "read " + path_);
        }
        if (status.st_size > static_cast<off_t>(kMaxScreenBytes)) {
            return Error(Code::data_loss, path_ + " is too large for a picture");
        }
        std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
        std::size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done,
                                      static_cast<off_t>(done));
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                return Error::from_errno(errno, "read " + path_);
            }
            if (n == 0) {
                break;  // it shrank; the parser will say so
            }
            done += static_cast<std::size_t>(n);
        }
        bytes.resize(done);
        return bytes;
    }

  private:
    explicit PictureFile(std::string path) : path_(std::move(path)) {}

    std::string path_;
    UniqueFd fd_;
};

}  // namespace

Result<Picture> QemuDriver::screenshot(const MachineId& id, bool wake, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY_ASSIGN(const auto control, control_of(id));
    if (wake) {
        // A key that types nothing.
        TRY(control->execute("send-key", R"({"keys":[{"type":"qcode","data":"shift"}]})", deadline),
            id.str());
    }
    MutexLock lock(machine->screen);
    TRY_ASSIGN(const PictureFile file, PictureFile::create(machine->record));
    const std::string arguments = nlohmann::json{{"filename", file.path()}}.dump();
    TRY(control->execute("screendump", arguments, deadline), id.str());
    TRY_ASSIGN(const std::string bytes, file.read());
    return parse_ppm(bytes);
}

}  // namespace kiln::compute
