// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { describePorts, kPresets, permission, portRange, otherSides } from "./rule";

const preset = (value: string) => kPresets.find((one) => one.value === value)!;

describe("rules", () => {
    it("read ports and ranges", () => {
        expect(portRange("80")).toEqual({ FromPort: 80, ToPort: 80 });
        expect(portRange(" 8000 - 8080 ")).toEqual({ FromPort: 8000, ToPort: 8080 });
        expect(portRange("-1")).toEqual({ FromPort: -1, ToPort: -1 });
        expect(portRange("")).toEqual({});
    });

    it("know ranges, IPv6 ranges and groups apart", () => {
        expect(permission(preset("ssh"), "", "10.0.0.0/8", "")).toEqual({
            IpProtocol: "tcp",
            FromPort: 22,
            ToPort: 22,
            IpRanges: [{ CidrIp: "10.0.0.0/8", Description: undefined }],
        });
        expect(permission(preset("all"), "", "::/0", "").Ipv6Ranges).toBeDefined();
        expect(permission(preset("all"), "", "sg-1", "").UserIdGroupPairs).toBeDefined();
    });

    it("are described as people say them", () => {
        expect(describePorts({ IpProtocol: "-1" })).toBe("All");
        expect(describePorts({ IpProtocol: "tcp", FromPort: 22, ToPort: 22 })).toBe("22");
        expect(describePorts({ IpProtocol: "tcp", FromPort: 1, ToPort: 9 })).toBe("1-9");
    });
});

describe("the other side", () => {
    it("offers this browser's address once it is known", () => {
        const labels = (mine?: string) => otherSides(mine).map(({ label }) => label);
        expect(labels()[0]).toBe("This server's host (127.0.0.0/8)");
        expect(labels("127.0.0.0/8")).toEqual([
            "My address: this server's host (127.0.0.0/8)",
            "Anywhere (0.0.0.0/0)",
            "Range or security group",
        ]);
        expect(labels("203.0.113.7/32")).toContain("My address (203.0.113.7/32)");
        expect(labels("203.0.113.7/32")).toHaveLength(4);
    });
});
