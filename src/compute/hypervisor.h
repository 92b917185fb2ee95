// SPDX-License-Identifier: Apache-2.0
// Hypervisor: starts, adopts, commands and ends the virtual machines of one host. Machines outlive
// the object (and the daemon): destroying a Hypervisor leaves its guests running, and adopt() takes
// them over again from the runtime record that start() left in the machine's directory.
//
// Life of a machine: start() -> running -> (guest powers off: event shutdown_guest, state
// `shut_down`, the process stays so that its reason can be asked for) -> kill() -> event exited,
// and the machine is no longer known. kill() is also how a running machine is ended by force. What
// is not known answers not_found. `generation` counts the starts of one instance; every event
// carries it, so that a late event of an earlier run can be told from the present one.
//
// Whether a shutdown was the guest's own wish or follows our power_down() cannot be seen from the
// machine: both end in shutdown_guest / `shut_down`. Whoever calls power_down() records that before
// (the instance's state `stopping`).
//
// Errors: not_found, failed_precondition, invalid_argument, unavailable (process or control socket
// away), deadline_exceeded (outcome unknown: query() tells).
//
// Thread-safe and blocking; never call it from MachineEvents::on_event. No call may be in progress
// at destruction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compute/host_memory.h"
#include "compute/screen.h"
#include "compute/uefi/variables.h"
#include "util/deadline.h"
#include "util/fs.h"
#include "util/id.h"
#include "util/result.h"

namespace kiln::compute {

// The instance id ("i-0123456789abcdef0"), as this layer knows it.
using MachineId = StrongId<struct MachineTag>;

enum class Firmware { bios, uefi };
enum class Accelerator { automatic, kvm, tcg };
// How a disk's bytes come to the machine. Over vhost_user its device works on the guest's memory:
// it knows no `serial` but its server's, asks its server for more time instead of pausing the guest
// when the store is full, and cannot be cut off (cut_off_disk). A file is a raw one of the host,
// which the machine has for itself from its start to its end.
enum class DiskTransport { nbd, vhost_user, file };

struct DiskSpec {
    DiskTransport transport = DiskTransport::nbd;
    std::string id;  // the volume id; also the block node's name: letters, digits, '-', at most 26
    std::string serial;  // what the guest sees, e.g. "vol0123456789abcdef0": at most 20 characters
    // Absolute path. Must be listening when start() is called and again before adopt(): both give
    // the socket file to the user the machine runs as (its server makes it for its own user alone).
    // Its directories must be searchable by others (0711) then; a start that fails over this says
    // so.
    std::string socket;
    std::string nbd_export;              // export name, over NBD; may be empty
    std::string file;                    // absolute path, of a file: in place of the socket
    std::optional<unsigned> boot_index;  // 0 for the root disk
    std::string device_name;             // as the API names it ("/dev/xvda"); only remembered
};

// A NIC whose frames go over a unix socket on which the machine listens; the network process
// connects (and reconnects).
struct NicSpec {
    std::string id;
    std::string mac;
    std::string socket;
};

struct MachineSpec {
    MachineId id;
    std::uint64_t generation = 1;
    unsigned vcpus = 1;
    std::uint64_t memory_mib = 0;
    Firmware firmware = Firmware::bios;
    // With UEFI: what the machine's own variables are made with at its first start, instead of
    // those of the firmware's template. Empty: with those. Later starts do not look at them.
    UefiVariables uefi_variables;
    std::string uuid;     // SMBIOS system uuid and serial: lower case, begins with "ec2", so that
                          // cloud-init sees EC2
    std::string product;  // SMBIOS product: the instance type
    std::vector<DiskSpec> disks;
    std::vector<NicSpec> nics;
    // The machine's own durable directory: runtime record (machine.json), UEFI variables, QEMU's
    // messages. Made if absent.
    std::string directory;
    // The machine's own directory for control sockets, on a path so short that "/agent.sock" added
    // stays within 107 bytes. Made if absent. Must be the same at every start of the machine.
    std::string runtime_directory;
    std::string serial_log;  // what the guest writes to its first serial port is appended here
};

enum class MachineState {
    prelaunch,  // the process is there but the guest never ran: start() was cut short; call it
                // again
    running,
    paused,
    shut_down,  // the guest powered off; the process waits for kill()
    panicked,
    io_error,  // paused because a disk refused a request (full store), until resume()
    gone,      // no process
};
std::string_view to_string(MachineState state);

struct MachineInfo {
    MachineId id;
    std::uint64_t generation = 0;
    MachineState state = MachineState::gone;
    int pid = 0;  // 0 when gone, and for fake machines
    Accelerator accelerator = Accelerator::automatic;
};

struct MachineEvent {
    enum class Kind {
        shutdown_guest,  // the guest powered off (by itself or after power_down)
        shutdown_host,   // the process was told to end by somebody else (SIGTERM, quit)
        reset,           // the guest rebooted or reset() took effect; it runs on
        panic,           // the guest says it panicked; it is paused
        io_error,        // a disk refused a request; the guest is paused
        exited,          // the process is gone; the last event of a generation
        disk_released,   // the guest let go of a disk that detach_disk() asked for
        control_lost,  // the control connection ended but the process lives: adopt() connects again
    };
    Kind kind = Kind::exited;
    bool by_guest = false;  // reset
    bool no_space = false;  // io_error: the store is full
    std::string disk;       // io_error, disk_released: DiskSpec::id
    std::optional<int>
        exit_status;  // exited: as a shell shows it (128 + signal); unknown for adopted machines
};
std::string_view to_string(MachineEvent::Kind kind);

class MachineEvents {
  public:
    virtual ~MachineEvents() = default;
    // Called on the hypervisor's one supervisor thread, in order per machine. Must not block and
    // must not call the Hypervisor: write it down (a job row) and return.
    virtual void on_event(const MachineId& id, std::uint64_t generation,
                          const MachineEvent& event) = 0;
};

class Hypervisor {
  public:
    virtual ~Hypervisor() = default;

    // Returns once the guest's processors run. Repeating it for a running machine of the same
    // generation changes nothing and succeeds; for another generation it is failed_precondition. On
    // failure nothing is left running.
    virtual Result<MachineInfo> start(const MachineSpec& spec, Deadline deadline) = 0;

    // Takes over the machine recorded in `directory`, if its process still lives; otherwise the
    // answer's state is `gone` (also when there is no record). For a known machine whose control
    // connection was lost it connects again. When the process lives but its control connection
    // cannot be had the error is unavailable or deadline_exceeded, and the machine is known all the
    // same: kill() works.
    virtual Result<MachineInfo> adopt(const MachineId& id, const std::string& directory,
                                      Deadline deadline) = 0;

    // Presses the power button (ACPI) and returns; the guest may take its time or ignore it.
    virtual Status power_down(const MachineId& id, Deadline deadline) = 0;
    // Hard reset. A machine that has shut down, and waits for its end, starts again.
    virtual Status reset(const MachineId& id, Deadline deadline) = 0;
    // Lets a machine in `io_error` go on; what its disk refused is asked of it again, and may be
    // refused again. A running one stays as it is; failed_precondition in any other state.
    virtual Status resume(const MachineId& id, Deadline deadline) = 0;
    // Has the guest write its file systems out and hold them still, through the agent in it. False,
    // at once, when it has none. thaw() has to follow true, and any error but not_found.
    virtual Result<bool> freeze(const MachineId& id, Deadline deadline) = 0;
    // Lets held file systems go on; nothing to those that are not held. unavailable when its agent
    // does not answer.
    virtual Status thaw(const MachineId& id, Deadline deadline) = 0;
    // Gives a running machine one more disk, behind a spare port; a disk it has already succeeds.
    // The socket is as in DiskSpec. resource_exhausted: no port is free until its next start.
    virtual Status attach_disk(const MachineId& id, const DiskSpec& disk, Deadline deadline) = 0;
    // Asks the guest to let a disk go, and takes it away if it has. False: not yet; the event
    // disk_released comes when it does, then call this again. A disk it does not have is gone.
    // failed_precondition for the root disk, which cannot be unplugged.
    virtual Result<bool> detach_disk(const MachineId& id, const std::string& disk,
                                     Deadline deadline) = 0;
    // For a guest that does not let a disk go: from now on it reads zeros there and what it writes
    // is lost, until it lets go or is next started; nothing of the machine uses the disk's socket
    // any more. A disk it does not have succeeds; attaching the disk again gives it its bytes back.
    // failed_precondition for the root disk, unsupported over vhost_user.
    virtual Status cut_off_disk(const MachineId& id, const std::string& disk,
                                std::uint64_t size_bytes, Deadline deadline) = 0;
    // The server of a disk serves more bytes than before (NBD has no message for that: it ended the
    // connection, and the next one is told). Has the machine connect again and tells the guest.
    // False: the machine still sees less than `size_bytes`; call it again. A disk it does not have
    // succeeds.
    virtual Result<bool> grow_disk(const MachineId& id, const std::string& disk,
                                   std::uint64_t size_bytes, Deadline deadline) = 0;
    // A connection to the machine's first serial port; what the machine writes goes to its log as
    // well. It has one such connection at a time: another waits, mute, until the first is closed.
    // Whoever holds it must read: a machine whose serial port is stuck is slow. not_found: no
    // machine; unsupported: machines of this hypervisor have no port.
    virtual Result<UniqueFd> open_serial(const MachineId& id) = 0;
    // What the machine shows. `wake` presses a key first, for a guest that saves its screen.
    // not_found: no machine; failed_precondition: it has no display (one that an older version
    // started).
    virtual Result<Picture> screenshot(const MachineId& id, bool wake, Deadline deadline) = 0;
    // Ends the process at once (SIGKILL) and returns when it is gone. Needs no working disk or
    // control connection.
    virtual Status kill(const MachineId& id, Deadline deadline) = 0;

    virtual Result<MachineInfo> query(const MachineId& id, Deadline deadline) = 0;
    // Every known machine, i.e. started or adopted and not yet exited. Does not ask the machines.
    virtual std::vector<MachineId> machines() = 0;

    // What guests may be given in all, before overcommit, and what of it is free just now, whoever
    // has the rest; nothing means without limit.
    virtual std::optional<HostMemory> host_memory() = 0;
    // One line for the log and for people: "QEMU 7.2.13, TCG (the processor has neither vmx nor
    // svm)".
    virtual std::string description() = 0;
};

}  // namespace kiln::compute
