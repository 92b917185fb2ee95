// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { emptyDraft, misfit, ruleInput, runInput } from "./draft";

const kDraft = { ...emptyDraft(1), newGroup: false, image: { ImageId: "ami-1" } };

describe("launches", () => {
    it("say only what was chosen", () => {
        expect(JSON.parse(JSON.stringify(runInput(kDraft)))).toEqual({
            ImageId: "ami-1",
            InstanceType: "t2.micro",
            MinCount: 1,
            MaxCount: 1,
            MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 2 },
        });
    });

    it("encode user data in UTF-8", () => {
        expect(runInput({ ...kDraft, userData: "grüß" }).UserData).toBe("Z3LDvMOf");
    });

    it("name a new group, by its id where a subnet is named too", () => {
        const draft = { ...kDraft, newGroup: true, groupName: "web" };
        expect(runInput(draft, "sg-1").SecurityGroups).toEqual(["web"]);
        const inSubnet = runInput({ ...draft, subnetId: "subnet-1" }, "sg-1");
        expect(inSubnet.SecurityGroups).toBeUndefined();
        expect(inSubnet.SecurityGroupIds).toEqual(["sg-1"]);
    });

    it("open ssh as asked", () => {
        expect(ruleInput({ ...kDraft, sshFrom: "none" })).toBeUndefined();
        const rule = ruleInput({ ...kDraft, sshFrom: "custom", sshRange: "192.0.2.0/24" });
        expect(rule?.IpPermissions?.[0]?.IpRanges?.[0]?.CidrIp).toBe("192.0.2.0/24");
    });
});

describe("types", () => {
    const type = {
        ProcessorInfo: { SupportedArchitectures: ["x86_64" as const] },
        SupportedVirtualizationTypes: ["hvm" as const],
        SupportedBootModes: ["legacy-bios" as const],
        NetworkInfo: { EnaSupport: "required" as const },
    };

    it("are told apart by what the image needs", () => {
        const image = { Architecture: "x86_64" as const, VirtualizationType: "hvm" as const, EnaSupport: true };
        expect(misfit(type, undefined)).toBeUndefined();
        expect(misfit(type, image)).toBeUndefined();
        expect(misfit(type, { ...image, Architecture: "arm64" })).toBe("Not for arm64");
        expect(misfit(type, { ...image, VirtualizationType: "paravirtual" })).toBe("Not for paravirtual");
        expect(misfit(type, { ...image, EnaSupport: false })).toBe("Needs an AMI with ENA support");
        expect(misfit(type, { ...image, BootMode: "uefi" })).toBe("Cannot boot by UEFI");
    });
});
