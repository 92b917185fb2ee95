// SPDX-License-Identifier: Apache-2.0
// A rule as people say it, and as EC2's permissions say it. Pure.
import type { IpPermission, SecurityGroupRule } from "@aws-sdk/client-ec2";

export interface Preset {
    value: string;
    label: string;
    protocol: string;
    /** Absent: to be typed. */
    ports?: string;
}

export const kPresets: readonly Preset[] = [
    { value: "ssh", label: "SSH", protocol: "tcp", ports: "22" },
    { value: "http", label: "HTTP", protocol: "tcp", ports: "80" },
    { value: "https", label: "HTTPS", protocol: "tcp", ports: "443" },
    { value: "rdp", label: "RDP", protocol: "tcp", ports: "3389" },
    { value: "tcp", label: "Custom TCP", protocol: "tcp" },
    { value: "udp", label: "Custom UDP", protocol: "udp" },
    { value: "icmp", label: "All ICMP (IPv4)", protocol: "icmp", ports: "-1" },
    { value: "all", label: "All traffic", protocol: "-1", ports: "" },
];

/** "80" or "8000-8080" as from and to; nothing for protocols without ports. */
export function portRange(ports: string): { FromPort?: number; ToPort?: number } {
    if (ports.trim() === "") {
        return {};
    }
    const [, from, to = from] = /^\s*(-?\d+)\s*(?:-\s*(\d+))?\s*$/.exec(ports) ?? [];
    return { FromPort: Number(from), ToPort: Number(to) };
}

export function permission(preset: Preset, ports: string, source: string, description: string): IpPermission {
    const Description = description || undefined;
    const base = { IpProtocol: preset.protocol, ...portRange(preset.ports ?? ports) };
    if (source.startsWith("sg-")) {
        return { ...base, UserIdGroupPairs: [{ GroupId: source, Description }] };
    }
    if (source.includes(":")) {
        return { ...base, Ipv6Ranges: [{ CidrIpv6: source, Description }] };
    }
    return { ...base, IpRanges: [{ CidrIp: source, Description }] };
}

export function describeProtocol({ IpProtocol }: SecurityGroupRule): string {
    return IpProtocol === "-1" ? "All" : (IpProtocol ?? "–").toUpperCase();
}

export function describePorts({ IpProtocol, FromPort, ToPort }: SecurityGroupRule): string {
    if (IpProtocol === "-1" || FromPort === undefined || FromPort === -1) {
        return "All";
    }
    return FromPort === ToPort ? String(FromPort) : `${FromPort}-${ToPort ?? ""}`;
}

export function describeOtherSide({
    CidrIpv4,
    CidrIpv6,
    PrefixListId,
    ReferencedGroupInfo,
}: SecurityGroupRule): string {
    return CidrIpv4 ?? CidrIpv6 ?? PrefixListId ?? ReferencedGroupInfo?.GroupId ?? "–";
}

/** This server's host: what kiln ssh and kiln proxy come from, wherever they run. */
export const kHostRange = "127.0.0.0/8";
export const kAnywhere = "0.0.0.0/0";

/** Who may be on the other side of a rule; `mine` is the range of this browser's address, once the server has told it. */
export function otherSides(mine: string | undefined): readonly { value: string; label: string }[] {
    const host = mine === kHostRange ? "My address: this server's host" : "This server's host";
    return [
        { value: kHostRange, label: `${host} (${kHostRange})` },
        ...(mine && mine !== kHostRange ? [{ value: mine, label: `My address (${mine})` }] : []),
        { value: kAnywhere, label: `Anywhere (${kAnywhere})` },
        { value: "custom", label: "Range or security group" },
    ];
}
