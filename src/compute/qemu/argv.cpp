// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/argv.h"

#include <fmt/format.h>

#include "compute/check_spec.h"
#include "compute/qemu/process.h"

namespace kiln::compute {
namespace {

// PCI addresses on the root bus. Root ports are functions of slots kFirstPortSlot and up, eight
// each.
constexpr unsigned kRootDiskSlot = 0x2;
constexpr unsigned kFirstNicSlot = 0x3;
constexpr unsigned kSerialBusSlot = 0x4;
constexpr unsigned kRandomSlot = 0x5;
constexpr unsigned kDisplaySlot = 0x6;
constexpr unsigned kFirstPortSlot = 0x8;
// Sets of descriptors: 1 is the serial log, 2 the UEFI variables, then files that are disks.
constexpr std::size_t kFirstDiskSet = 3;

// Without a cap the translation cache grows to 1 GiB per machine. Small guests are as fast with 64
// MiB.
unsigned translation_cache_mib(std::uint64_t memory_mib) {
    return memory_mib <= 256 ? 64 : memory_mib <= 1024 ? 128 : 256;
}

// In QEMU's option lists a comma inside a value is doubled.
std::string escape(std::string_view value) {
    std::string out;
    for (const char c : value) {
        out += c;
        if (c == ',') {
            out += c;
        }
    }
    return out;
}

class Arguments {
  public:
    explicit Arguments(std::string program) : args_{std::move(program)} {}
    void add(std::string_view option, std::string value) {
        args_.emplace_back(option);
        args_.push_back(std::move(value));
    }
    void add(std::string_view flag) { args_.emplace_back(flag); }
    std::vector<std::string> take() { return std::move(args_); }

  private:
    std::vector<std::string> args_;
};

void add_frame(Arguments& args, const MachineSpec& spec) {
    args.add("-name", spec.id.str());
    args.add("-no-user-config");
    args.add("-nodefaults");
    args.add("-display", "none");
    args.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    // The processors wait for our `cont`, sent when the control connection stands.
    args.add("-S");
    // A guest that ends leaves its QEMU, so that the reason can be asked for even after we were
    // away.
    args.add("-action", "shutdown=pause,panic=pause");
}

void add_processor_and_memory(Arguments& args, const MachineSpec& spec, Accelerator accelerator) {
    const bool uefi = spec.firmware == Firmware::uefi;
    args.add("-machine", uefi ? "q35,memory-backend=mem,pflash0=uefi-code,pflash1=uefi-variables"
                              : "q35,memory-backend=mem");
    args.add("-accel", accelerator == Accelerator::kvm
                           ? "kvm"
                           : fmt::format("tcg,thread=multi,tb-size={}",
                                         translation_cache_mib(spec.memory_mib)));
    args.add("-cpu", "max");
    args.add("-smp", fmt::format("{}", spec.vcpus));
    args.add("-m", fmt::format("{}M", spec.memory_mib));
    // Shared memory from the start: vhost-user disks and forks need it later and it costs nothing.
    args.add("-object",
             fmt::format("memory-backend-memfd,id=mem,size={}M,share=on", spec.memory_mib));
    // cloud-init chooses the EC2 data source by this uuid, and wants the serial to equal it.
    args.add("-smbios",
             fmt::format("type=1,manufacturer=Amazon EC2,product={0},uuid={1},serial={1}",
                         escape(spec.product), spec.uuid));
    args.add("-boot", "strict=on");
}

void add_inherited(Arguments& args, const MachineSpec& spec, const ArgvFacts& facts) {
    int fd = kFirstChildFd;
    for (const auto& slot : child_files(spec)) {
        switch (slot.file) {
            case ChildFile::qmp:
                args.add("-chardev", fmt::format("socket,id=qmp,fd={},server=on,wait=off", fd));
                args.add("-mon", "chardev=qmp,mode=control");
                break;
            case ChildFile::qmp_spare:
                args.add("-chardev",
                         fmt::format("socket,id=qmp-spare,fd={},server=on,wait=off", fd));
                args.add("-mon", "chardev=qmp-spare,mode=control");
                break;
            case ChildFile::agent:
                args.add("-chardev", fmt::format("socket,id=agent,fd={},server=on,wait=off", fd));
                args.add("-device",
                         fmt::format("virtio-serial-pci,id=serial-bus,addr={:#x}", kSerialBusSlot));
                args.add("-device",
                         "virtserialport,bus=serial-bus.0,chardev=agent,"
                         "name=org.qemu.guest_agent.0");
                break;
            case ChildFile::serial:
                // What is written while nobody is connected goes to the log alone.
                args.add("-chardev", fmt::format("socket,id=serial,fd={},server=on,wait=off,"
                                                 "logfile=/dev/fdset/1,logappend=on",
                                                 fd));
                args.add("-serial", "chardev:serial");
                break;
            case ChildFile::serial_log:
                args.add("-add-fd", fmt::format("fd={},set=1", fd));
                break;
            case ChildFile::uefi_variables:
                args.add("-add-fd", fmt::format("fd={},set=2", fd));
                args.add("-blockdev", fmt::format("driver=file,node-name=uefi-code,read-only=on,"
                                                  "filename={}",
                                                  escape(facts.ovmf_code)));
                args.add("-blockdev", "driver=file,node-name=uefi-variables,filename=/dev/fdset/2");
                break;
            case ChildFile::nic: {
                const NicSpec& nic = spec.nics[slot.nic];
                args.add("-netdev", fmt::format("stream,id={},server=on,addr.type=fd,addr.str={}",
                                                nic.id, fd));
                // No boot ROM: instances do not boot from the network.
                args.add("-device",
                         fmt::format("virtio-net-pci,id=nic-{0},netdev={0},mac={1},romfile=,"
                                     "addr={2:#x}",
                                     nic.id, nic.mac, kFirstNicSlot + slot.nic));
                break;
            }
            case ChildFile::disk: {
                const DiskSpec& disk = spec.disks[slot.disk];
                const std::size_t set = kFirstDiskSet + slot.disk;
                args.add("-add-fd", fmt::format("fd={},set={}", fd, set));
                args.add("-blockdev", fmt::format("driver=file,node-name={},filename=/dev/fdset/{},"
                                                  "discard=unmap",
                                                  disk.id, set));
                break;
            }
        }
        ++fd;
    }
}

// On a node that is there.
void add_drive(Arguments& args, const DiskSpec& disk, const std::string& place) {
    args.add("-device", fmt::format("virtio-blk-pci,id=disk-{0},drive={0},{1},"
                                    "werror=stop,rerror=stop",
                                    disk.id, place));
}

void add_nbd_disk(Arguments& args, const DiskSpec& disk, const std::string& place) {
    args.add("-blockdev",
             fmt::format("driver=nbd,node-name={},server.type=unix,server.path={},export={},"
                         "reconnect-delay={},discard=unmap",
                         disk.id, escape(disk.socket), escape(disk.nbd_export), kReconnectSeconds));
    add_drive(args, disk, place);
}

// Its serial comes from its server, and errors go to the guest.
void add_vhost_disk(Arguments& args, const DiskSpec& disk, const std::string& place) {
    const std::string chardev = disk_chardev(disk.id);
    args.add("-chardev", fmt::format("socket,id={},path={},reconnect={}", chardev,
                                     escape(disk.socket), kVhostReconnectSeconds));
    args.add("-device",
             fmt::format("vhost-user-blk-pci,id=disk-{},chardev={},{}", disk.id, chardev, place));
}

// The root disk stands on the root bus, where virtio devices also speak the legacy interface of old
// guests; it can never be detached from a running machine. All others stand behind root ports,
// because only those can be unplugged.
void add_disks(Arguments& args, const MachineSpec& spec) {
    const std::size_t data_disks = spec.disks.size() - 1;
    for (std::size_t port = 0; port < data_disks + kSparePorts; ++port) {
        args.add("-device",
                 fmt::format("pcie-root-port,id={},chassis={},slot={},addr={:#x}.{}{}",
                             port_name(port), port + 1, port + 1, kFirstPortSlot + port / 8,
                             port % 8, port % 8 == 0 ? ",multifunction=on" : ""));
    }
    std::size_t next_port = 0;
    for (const auto& disk : spec.disks) {
        const bool root = disk.boot_index == 0U;
        const std::string place = root ? fmt::format("addr={:#x}", kRootDiskSlot)
                                       : fmt::format("bus={}", port_name(next_port++));
        const std::string boot =
            disk.boot_index ? fmt::format(",bootindex={}", *disk.boot_index) : "";
        switch (disk.transport) {
            case DiskTransport::nbd:
                add_nbd_disk(args, disk, place + ",serial=" + escape(disk.serial) + boot);
                break;
            case DiskTransport::vhost_user:
                add_vhost_disk(args, disk, place + boot);
                break;
            case DiskTransport::file:
                add_drive(args, disk, place + ",serial=" + escape(disk.serial));
                break;
        }
    }
}

}  // namespace

std::string port_name(std::size_t number) {
    return fmt::format("port{}", number);
}

std::string disk_chardev(const std::string& disk) {
    return "chardev-" + disk;
}

std::vector<ChildFileSlot> child_files(const MachineSpec& spec) {
    std::vector<ChildFileSlot> slots = {{ChildFile::qmp},
                                        {ChildFile::qmp_spare},
                                        {ChildFile::agent},
                                        {ChildFile::serial_log},
                                        {ChildFile::serial}};
    if (spec.firmware == Firmware::uefi) {
        slots.push_back({ChildFile::uefi_variables});
    }
    for (std::size_t i = 0; i < spec.nics.size(); ++i) {
        slots.push_back({ChildFile::nic, i});
    }
    for (std::size_t i = 0; i < spec.disks.size(); ++i) {
        if (spec.disks[i].transport == DiskTransport::file) {
            slots.push_back({ChildFile::disk, 0, i});
        }
    }
    return slots;
}

Result<std::vector<std::string>> build_argv(const MachineSpec& spec, const ArgvFacts& facts) {
    TRY(check_spec(spec));
    if (spec.firmware == Firmware::uefi && facts.ovmf_code.empty()) {
        return Error(Code::unsupported, "UEFI firmware not found; install the package ovmf");
    }
    Arguments args(facts.program);
    add_frame(args, spec);
    add_processor_and_memory(args, spec, facts.accelerator);
    add_inherited(args, spec, facts);
    args.add("-object", "rng-builtin,id=random");
    args.add("-device", fmt::format("virtio-rng-pci,rng=random,addr={:#x}", kRandomSlot));
    // For pictures of the screen (CON-4). Every system knows this one; 8 MiB are 1920 x 1080.
    args.add("-device", fmt::format("VGA,vgamem_mb=8,addr={:#x}", kDisplaySlot));
    add_disks(args, spec);
    return args.take();
}

}  // namespace kiln::compute
