// SPDX-License-Identifier: Apache-2.0
// The volumes a form shows, and the block device mapping that says how they differ from where they come from: the
// instance's volumes for CreateImage, the image's mapping for RunInstances.
import type { BlockDeviceMapping, VolumeType } from "@aws-sdk/client-ec2";

export interface StorageRow {
    key: string;
    device: string;
    root: boolean;
    snapshotId: string;
    /** GiB, as typed. */
    size: string;
    type: string;
    iops: string;
    deleteOnTermination: boolean;
}

export const kVolumeTypes = ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"] as const;

export const takesIops = (type: string): boolean => type === "io1" || type === "io2" || type === "gp3";

export function rowOf(mapping: BlockDeviceMapping, rootDevice: string | undefined): StorageRow {
    const device = mapping.DeviceName ?? "";
    return {
        key: device,
        device,
        root: device === rootDevice,
        snapshotId: mapping.Ebs?.SnapshotId ?? "",
        size: mapping.Ebs?.VolumeSize?.toString() ?? "",
        type: mapping.Ebs?.VolumeType ?? "gp2",
        iops: mapping.Ebs?.Iops?.toString() ?? "",
        deleteOnTermination: mapping.Ebs?.DeleteOnTermination ?? false,
    };
}

/** The first of /dev/sdf … /dev/sdp that is free: the names EC2 recommends for data volumes. */
export function freeDevice(rows: readonly StorageRow[]): string {
    const taken = new Set(rows.map(({ device }) => device));
    const names = [..."fghijklmnop"].map((letter) => `/dev/sd${letter}`);
    return names.find((name) => !taken.has(name)) ?? "";
}

export function newRow(rows: readonly StorageRow[]): StorageRow {
    const device = freeDevice(rows);
    return {
        key: `new ${device} ${rows.length}`,
        device,
        root: false,
        snapshotId: "",
        size: "8",
        type: "gp2",
        iops: "",
        deleteOnTermination: false,
    };
}

const numberOf = (text: string): number | undefined => (text.trim() === "" ? undefined : Number(text));

function added(row: StorageRow): BlockDeviceMapping {
    return {
        DeviceName: row.device,
        Ebs: {
            SnapshotId: row.snapshotId || undefined,
            VolumeSize: numberOf(row.size),
            VolumeType: row.type as VolumeType,
            Iops: takesIops(row.type) ? numberOf(row.iops) : undefined,
            DeleteOnTermination: row.deleteOnTermination,
        },
    };
}

function changed(row: StorageRow, from: StorageRow): BlockDeviceMapping | undefined {
    const ebs = {
        ...(row.snapshotId !== from.snapshotId && { SnapshotId: row.snapshotId || undefined }),
        ...(row.size !== from.size && { VolumeSize: numberOf(row.size) }),
        ...(row.type !== from.type && { VolumeType: row.type as VolumeType }),
        ...(takesIops(row.type) && row.iops !== from.iops && { Iops: numberOf(row.iops) }),
        ...(row.deleteOnTermination !== from.deleteOnTermination && { DeleteOnTermination: row.deleteOnTermination }),
    };
    return Object.keys(ebs).length > 0 ? { DeviceName: from.device, Ebs: ebs } : undefined;
}

/** What the request must say; undefined when nothing differs. */
export function overrides(rows: readonly StorageRow[], from: readonly StorageRow[]): BlockDeviceMapping[] | undefined {
    const original = new Map(from.map((row) => [row.key, row]));
    const kept = new Set(rows.map(({ key }) => key));
    const entries = [
        ...rows.map((row) => {
            const before = original.get(row.key);
            return before ? changed(row, before) : added(row);
        }),
        ...from.filter(({ key }) => !kept.has(key)).map(({ device }) => ({ DeviceName: device, NoDevice: "" })),
    ].filter((entry) => entry !== undefined);
    return entries.length > 0 ? entries : undefined;
}
