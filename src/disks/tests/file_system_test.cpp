// SPDX-License-Identifier: Apache-2.0
// File systems that their own tools make, and what is left of them when they are damaged.
#include "disks/file_system.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "disks/tests/corpus_disk.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::disks;
namespace fs = std::filesystem;

namespace {

class Workshop {
  public:
    Workshop() {
        std::string name = (fs::temp_directory_path() / "kiln-disks-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~Workshop() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;

    void put(const std::string& name, const std::string& content) {
        const fs::path file = fs::path(path_) / "tree" / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file) << content;
    }
    void link(const std::string& name, const std::string& target) {
        const fs::path file = fs::path(path_) / "tree" / name;
        fs::create_directories(file.parent_path());
        fs::create_symlink(target, file);
    }
    void copy_program(const std::string& name) {
        const fs::path file = fs::path(path_) / "tree" / name;
        fs::create_directories(file.parent_path());
        fs::copy_file("/proc/self/exe", file);
    }
    // `$D` in the command is the directory; `disk` in it is the file system.
    void run(const std::string& command) {
        const std::string line = "D='" + path_ + "'; PATH=$PATH:/usr/sbin:/sbin; cd \"$D\" && (" +
                                 command + ") >log 2>&1";
        INFO(line);
        REQUIRE(std::system(line.c_str()) == 0);
    }
    FileSystemFindings examine_disk() {
        UniqueFd fd(::open((path_ + "/disk").c_str(), O_RDONLY | O_CLOEXEC));
        struct stat info {};
        REQUIRE(::fstat(fd.get(), &info) == 0);
        const auto size = static_cast<std::uint64_t>(info.st_size);
        return examine(size, [&fd, size](std::uint64_t offset, MutableByteView into) -> Status {
            CHECK(offset + into.size() <= size);
            if (::pread(fd.get(), into.data(), into.size(), static_cast<off_t>(offset)) !=
                static_cast<ssize_t>(into.size())) {
                return Error(Code::io_error, "short");
            }
            return ok();
        });
    }

  private:
    std::string path_;
};

void add_debian(Workshop& work) {
    work.put("usr/lib/os-release",
             "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n");
    work.link("etc/os-release", "../usr/lib/os-release");
    work.copy_program("usr/sbin/real-init");
    work.link("usr/sbin/init", "/usr/sbin/real-init");
    work.link("sbin", "usr/sbin");
    work.put("usr/bin/cloud-init", "#!/usr/bin/python3\n");
}

void check_debian(const FileSystemFindings& found, const std::string& type) {
    CHECK(found.file_system.type == type);
    CHECK(found.file_system.label == "root");
    CHECK(found.why_not == "");
    REQUIRE(found.system);
    CHECK(found.read);
    CHECK(found.system->id == "debian");
    CHECK(found.system->version == "12");
    CHECK(found.system->name == "Debian GNU/Linux 12 (bookworm)");
    CHECK(found.system->cloud_init);
#if defined(__x86_64__)
    CHECK(found.system->architecture == "x86_64");
#endif
}

}  // namespace

TEST_CASE("the system in an ext file system is found, whatever its generation and block size") {
    for (const char* options :
         {"-t ext4", "-t ext4 -b 1024", "-t ext3", "-t ext2", "-t ext4 -O inline_data -I 256",
          "-t ext4 -O ^64bit,^metadata_csum"}) {
        CAPTURE(options);
        Workshop work;
        add_debian(work);
        work.run("mke2fs -q " + std::string(options) + " -L root -d tree disk 64M");
        const std::string type(options, 3, 4);
        check_debian(work.examine_disk(), type);
    }
}

TEST_CASE("the system in an XFS file system is found") {
    Workshop work;
    add_debian(work);
    work.run(
        "printf '%s\n' /dev/null '0 0' 'd--755 0 0' "
        "'etc d--755 0 0' 'os-release l--777 0 0 ../usr/lib/os-release' '$' "
        "'sbin l--777 0 0 usr/sbin' "
        "'usr d--755 0 0' "
        "'lib d--755 0 0' \"os-release ---644 0 0 $D/tree/usr/lib/os-release\" '$' "
        "'bin d--755 0 0' \"cloud-init ---755 0 0 $D/tree/usr/bin/cloud-init\" '$' "
        "'sbin d--755 0 0' 'init l--777 0 0 /usr/sbin/real-init' "
        "\"real-init ---755 0 0 $D/tree/usr/sbin/real-init\" '$' '$' '$' >proto && "
        "truncate -s 320M disk && mkfs.xfs -q -L root -p proto disk");
    check_debian(work.examine_disk(), "xfs");
}

TEST_CASE("the system in a btrfs file system is found") {
    for (const char* options : {"", "-n 4096", "--mixed", "-d dup -m dup"}) {
        CAPTURE(options);
        Workshop work;
        add_debian(work);
        work.run("truncate -s 256M disk && mkfs.btrfs -q -L root " + std::string(options) +
                 " -r tree disk");
        check_debian(work.examine_disk(), "btrfs");
    }
}

// Made by the kernel (the corpus of the fuzz target has the same disks): subvolumes and zstd, which
// mkfs.btrfs cannot make.
TEST_CASE("the system in a subvolume of btrfs is found, compressed") {
    struct Made {
        const char* file;
        const char* id;
        const char* name;
    };
    for (const Made& made :
         {Made{"btrfs-fedora", "fedora", "Fedora Linux 41 (Cloud Edition)"},  // in /root, by name
          Made{"btrfs-suse", "opensuse-leap", "openSUSE Leap 15.6"}}) {       // the default one
        CAPTURE(made.file);
        testing::SectorDisk disk = testing::corpus_disk("file_systems", made.file);
        const auto found = examine(testing::SectorDisk::kBytes, disk.reader());
        CHECK(found.why_not == "");
        CHECK(found.file_system.type == "btrfs");
        REQUIRE(found.system);
        CHECK(found.system->id == made.id);
        CHECK(found.system->name == made.name);
        CHECK(found.system->architecture == "x86_64");
        CHECK(found.system->cloud_init);
    }
}

TEST_CASE("a btrfs whose trees are damaged is told as such") {
    Workshop work;
    add_debian(work);
    work.run("truncate -s 256M disk && mkfs.btrfs -q -L root -r tree disk");
    // The superblock alone is left; then a size of nodes that is none.
    work.run("cp disk whole && dd if=/dev/zero of=disk bs=64K seek=2 count=4000 conv=notrunc");
    auto found = work.examine_disk();
    CHECK(found.file_system.type == "btrfs");
    CHECK(!found.read);
    CHECK(found.why_not == "btrfs: a node of a tree is damaged");
    work.run("cp whole disk && printf '\\001' | dd of=disk bs=1 seek=65684 conv=notrunc");
    CHECK(work.examine_disk().why_not == "btrfs: its size of nodes makes no sense");
    work.run("cp whole disk && printf '\\002' | dd of=disk bs=1 seek=65672 conv=notrunc");
    CHECK(work.examine_disk().why_not == "btrfs: it is one of 2 disks");
    work.run("head -c 66000 whole >disk");
    CHECK(work.examine_disk().why_not == "btrfs: too short");
}

TEST_CASE("file systems without a system hold none") {
    Workshop data;
    data.put("photos/summer", "x");
    data.link("etc/os-release", "os-release");  // a circle
    data.link("sbin", "sbin/sbin");
    data.run("mke2fs -q -t ext4 -d tree disk 16M");
    const auto found = data.examine_disk();
    CHECK(found.read);
    CHECK(!found.system);
    CHECK(found.why_not == "");

    Workshop empty;
    empty.run("truncate -s 1M disk");
    CHECK(empty.examine_disk().file_system.type == "");
    CHECK(!empty.examine_disk().read);
    empty.run("truncate -s 0 disk");
    CHECK(empty.examine_disk().file_system.type == "");
}

TEST_CASE("what is not read is known by its mark") {
    Workshop fat;
    fat.run("truncate -s 4M disk && mformat -i disk -v LABEL -T 8192 -h 16 -s 32 ::");
    CHECK(fat.examine_disk().file_system.type == "vfat");
    CHECK(fat.examine_disk().file_system.label == "LABEL");
    Workshop swap;
    swap.run("truncate -s 1M disk && mkswap -L pages disk");
    CHECK(swap.examine_disk().file_system.type == "swap");
    CHECK(swap.examine_disk().file_system.label == "pages");
    Workshop pool;
    pool.run("truncate -s 1M disk && printf 'LVM2 001' | dd of=disk bs=1 seek=536 conv=notrunc");
    CHECK(pool.examine_disk().file_system.type == "LVM2_member");
    CHECK(!pool.examine_disk().read);
}

TEST_CASE("a damaged file system is told as such, and never more than that") {
    Workshop work;
    add_debian(work);
    work.run(
        "mke2fs -q -t ext4 -L root -d tree whole 64M && cp whole disk && "
        "dd if=/dev/urandom of=disk bs=4096 seek=1 count=200 conv=notrunc");
    auto found = work.examine_disk();
    CHECK(found.file_system.type == "ext4");
    CHECK(!found.system);
    CHECK((!found.why_not.empty() || found.read));
    work.run("head -c 5000 whole >disk");
    found = work.examine_disk();
    CHECK(found.file_system.type == "ext4");
    CHECK(!found.read);
    CHECK(found.why_not != "");
}
