// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { ApiError, fieldOf } from "../api/errors";
import { permissionChange, permissionsOf, withTyped } from "../images/permissions";
import { freeDevice, newRow, overrides, rowOf } from "./storage";
import { tagCalls } from "./tags-dialog";

const kRoot = rowOf(
    {
        DeviceName: "/dev/xvda",
        Ebs: { SnapshotId: "snap-1", VolumeSize: 2, VolumeType: "gp2", DeleteOnTermination: true },
    },
    "/dev/xvda",
);
const kData = rowOf({ DeviceName: "/dev/sdf", Ebs: { VolumeSize: 8 } }, "/dev/xvda");

describe("block device mappings", () => {
    it("say nothing when nothing differs", () => {
        expect(overrides([kRoot, kData], [kRoot, kData])).toBeUndefined();
    });

    it("say only what differs", () => {
        const larger = { ...kRoot, size: "16", deleteOnTermination: false };
        expect(overrides([larger, kData], [kRoot, kData])).toEqual([
            { DeviceName: "/dev/xvda", Ebs: { VolumeSize: 16, DeleteOnTermination: false } },
        ]);
    });

    it("remove with NoDevice and add whole entries", () => {
        const added = newRow([kRoot]);
        expect(overrides([kRoot, added], [kRoot, kData])).toEqual([
            {
                DeviceName: "/dev/sdf",
                Ebs: {
                    SnapshotId: undefined,
                    VolumeSize: 8,
                    VolumeType: "gp2",
                    Iops: undefined,
                    DeleteOnTermination: false,
                },
            },
            { DeviceName: "/dev/sdf", NoDevice: "" },
        ]);
    });

    it("name new devices as EC2 recommends", () => {
        expect(freeDevice([kRoot])).toBe("/dev/sdf");
        expect(freeDevice([kRoot, kData])).toBe("/dev/sdg");
    });
});

describe("errors", () => {
    const patterns = { name: /InvalidAMIName|\bname\b/i, size: /size/i };

    it("stand at the field they name", () => {
        expect(fieldOf(new ApiError("InvalidAMIName.Duplicate", "AMI x"), patterns)).toBe("name");
        expect(fieldOf(new ApiError("InvalidParameterValue", "Volume size 0"), patterns)).toBe("size");
    });

    it("stand at the top otherwise", () => {
        expect(fieldOf(new ApiError("UnauthorizedOperation", "No."), patterns)).toBeUndefined();
        expect(fieldOf(undefined, patterns)).toBeUndefined();
    });
});

describe("tags", () => {
    it("are set and removed only where they differ", () => {
        const before = [
            { Key: "a", Value: "1" },
            { Key: "b", Value: "2" },
        ];
        const after = [
            { Key: "a", Value: "9" },
            { Key: "", Value: "half typed" },
        ];
        expect(tagCalls("ami-1", before, after)).toEqual([
            { operation: "DeleteTags", input: { Resources: ["ami-1"], Tags: [{ Key: "b" }] } },
            { operation: "CreateTags", input: { Resources: ["ami-1"], Tags: [{ Key: "a", Value: "9" }] } },
        ]);
        expect(tagCalls("ami-1", before, before)).toEqual([]);
    });
});

describe("permissions", () => {
    it("are read from launch permissions", () => {
        expect(permissionsOf([{ Group: "all" }, { UserId: "1" }])).toEqual({ public: true, accounts: ["1"] });
    });

    it("count in the account that is typed and not added yet", () => {
        expect(withTyped(["1"], " 1111-2222-3333 ")).toEqual(["1", "111122223333"]);
        expect(withTyped(["1"], "1")).toEqual(["1"]);
        expect(withTyped(["1"], " ")).toEqual(["1"]);
    });

    it("change by what was added and removed", () => {
        const before = { public: true, accounts: ["1"] };
        expect(permissionChange("ami-1", before, { public: false, accounts: ["2"] })).toEqual({
            ImageId: "ami-1",
            LaunchPermission: { Add: [{ UserId: "2" }], Remove: [{ Group: "all" }, { UserId: "1" }] },
        });
        expect(permissionChange("ami-1", before, before)).toBeUndefined();
    });
});
