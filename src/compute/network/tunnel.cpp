// SPDX-License-Identifier: Apache-2.0
#include "compute/network/tunnel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kiln::compute {
namespace {

constexpr char kClonePath[] = "/dev/net/tun";

struct NamedDevice {
    UniqueFd fd;
    ifreq request{};  // with the name the kernel chose
};

Error refused(int error, const char* step) {
    const std::string what = std::string(step) + ": " + std::strerror(error);
    switch (error) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            return Error(Code::not_found,
                         what + " (modprobe tun; a container: --device /dev/net/tun)");
        case EPERM:
        case EACCES:
            return Error(Code::permission_denied,
                         what +
                             " (run as root, or with CAP_NET_ADMIN and a /dev/net/tun that this "
                             "user may open)");
        default:
            return Error(Code::internal, what);
    }
}

Result<NamedDevice> make_device() {
    NamedDevice device;
    device.fd = UniqueFd(::open(kClonePath, O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!device.fd) {
        return refused(errno, "open /dev/net/tun");
    }
    std::strcpy(device.request.ifr_name, "kiln%d");  // the kernel puts the number in
    device.request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(device.fd.get(), TUNSETIFF, &device.request) != 0) {
        return refused(errno, "make a TUN device");
    }
    return device;
}

Status set_address(const UniqueFd& socket, ifreq& request, unsigned long which, Ipv4 address,
                   const char* step) {
    sockaddr_in value{};
    value.sin_family = AF_INET;
    value.sin_addr.s_addr = htonl(address.value);
    std::memcpy(&request.ifr_addr, &value, sizeof value);
    return ::ioctl(socket.get(), which, &request) == 0 ? ok() : refused(errno, step);
}

// As a point-to-point link it brings the route to the other end by itself.
Status configure(ifreq request, const TunnelSpec& spec) {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return refused(errno, "configure the TUN device");
    }
    TRY(set_address(socket, request, SIOCSIFADDR, spec.host, "set the TUN device's address"));
    TRY(set_address(socket, request, SIOCSIFDSTADDR, spec.address, "set the TUN device's peer"));
    request.ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT | IFF_NOARP;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) {
        return refused(errno, "switch the TUN device on");
    }
    return ok();
}

}  // namespace

Result<std::unique_ptr<Tunnel>> Tunnel::open(const TunnelSpec& spec) {
    TRY_ASSIGN(NamedDevice device, make_device());
    TRY(configure(device.request, spec));
    return std::unique_ptr<Tunnel>(
        new Tunnel(std::move(device.fd), std::string(device.request.ifr_name)));
}

Result<std::size_t> Tunnel::read(MutableByteView space) {
    const ssize_t n = ::read(fd_.get(), space.data(), space.size());
    if (n >= 0) {
        return static_cast<std::size_t>(n);
    }
    if (errno == EAGAIN || errno == EINTR) {
        return std::size_t{0};
    }
    return Error::from_errno(errno, "read from " + device_);
}

bool Tunnel::write(ByteView packet) {
    return ::write(fd_.get(), packet.data(), packet.size()) == static_cast<ssize_t>(packet.size());
}

Status may_open_tunnels() {
    const UniqueFd clone(::open(kClonePath, O_RDWR | O_CLOEXEC));
    if (!clone) {
        return refused(errno, "open /dev/net/tun");
    }
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    // The kernel looks at the right to change its network before it looks at what is to be changed,
    // which is no route at all.
    rtentry nothing{};
    if (::ioctl(socket.get(), SIOCDELRT, &nothing) != 0 && (errno == EPERM || errno == EACCES)) {
        return refused(errno, "make a TUN device");
    }
    return ok();
}

std::vector<Ipv4> tunnelled_addresses() {
    std::vector<Ipv4> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return found;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        const bool ours = std::string_view(entry->ifa_name).starts_with(kTunnelPrefix) &&
                          (entry->ifa_flags & IFF_POINTOPOINT) != 0;
        if (ours && entry->ifa_dstaddr != nullptr && entry->ifa_dstaddr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, entry->ifa_dstaddr, sizeof address);
            found.push_back({ntohl(address.sin_addr.s_addr)});
        }
    }
    ::freeifaddrs(list);
    return found;
}

}  // namespace kiln::compute
