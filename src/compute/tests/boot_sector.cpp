// SPDX-License-Identifier: Apache-2.0
#include "compute/tests/boot_sector.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "util/fs.h"

// 16-bit code, loaded at 0x7c00 with the drive's number in %dl, laid into this program's constants
// by the assembler. Ports: 0x3f8 serial; 0x600, 0x602, 0x604 ACPI PM1 status, enable, control as
// SeaBIOS places them on q35; 0xcf9 reset.
asm(R"(
    .pushsection .rodata
    .code16
kiln_boot_sector:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movb %dl, 0x500
    movw $0x602, %dx            # let the power button set its status bit
    movw $0x0100, %ax
    outw %ax, %dx
    sti
    movw $(up - kiln_boot_sector + 0x7c00), %si
    call print
again:
    hlt                         # until the timer's next tick, 18 a second
    movw $(packet - kiln_boot_sector + 0x7c00), %si
    movb $0x42, %ah             # read the second sector to 0x8000
    movb 0x500, %dl
    int $0x13
    jc again
    cmpb $'S', 0x8000
    je power_off
    cmpb $'R', 0x8000
    je reset
    movw $0x600, %dx
    inw %dx, %ax
    testb $1, %ah
    jz again
    movw $0x0100, %ax           # writing the bit clears it
    outw %ax, %dx
    movw $(button - kiln_boot_sector + 0x7c00), %si
    call print
    cmpb $'I', 0x8001
    je again
power_off:
    movw $(off - kiln_boot_sector + 0x7c00), %si
    call print
    movw $0x604, %dx            # sleep type 0 with sleep enable: S5
    movw $0x2000, %ax
    outw %ax, %dx
stay:
    hlt
    jmp stay
reset:
    movb $0, 0x8000
    movw $(packet - kiln_boot_sector + 0x7c00), %si
    movw $0x4300, %ax           # write the sector back
    movb 0x500, %dl
    int $0x13
    movw $0xcf9, %dx
    movb $6, %al
    outb %al, %dx
    jmp stay
print:
    lodsb
    testb %al, %al
    jz printed
    movw $0x3f8, %dx
    outb %al, %dx
    jmp print
printed:
    ret
up:     .asciz "GUEST UP\r\n"
button: .asciz "POWER BUTTON\r\n"
off:    .asciz "POWERING OFF\r\n"
packet:
    .byte 16, 0
    .word 1, 0x8000, 0
    .quad 1
    .org kiln_boot_sector + 510
    .byte 0x55, 0xaa
    .code64
    .popsection
)");
extern "C" const unsigned char kiln_boot_sector[512];

namespace kiln::compute::testing {

void write_boot_disk(const std::string& path) {
    std::string disk(kDiskBytes, '\0');
    std::copy_n(kiln_boot_sector, 512, disk.begin());
    REQUIRE(write_file_atomic(path, disk, 0600));
}

void command_guest(const std::string& path, char command, char button) {
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(fd);
    const char bytes[2] = {command, button};
    REQUIRE(::pwrite(fd.get(), bytes, 2, 512) == 2);
}

}  // namespace kiln::compute::testing
