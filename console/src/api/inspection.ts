// SPDX-License-Identifier: Apache-2.0
// What the server read from a disk (GET /kiln/v1/inspect/ami-… and snap-…). Pure.

export interface Disk {
    /** Why an instance would not boot from it; none: it looks bootable. */
    bootWarnings: readonly string[];
    /** "Debian GNU/Linux 12 (bookworm), cloud-init"; undefined where none was found. */
    system?: string;
    architecture?: string;
    /** As EC2 names it, by the loaders on the disk. */
    bootMode?: string;
    /** "GPT: 1 ext4 root, 15 vfat ESP (EFI system)". */
    partitions: string;
    /** "partition 1", or the whole disk; undefined where no system was found. */
    root?: string;
}

export interface Inspection {
    disk?: Disk;
    /** Why there is no `disk`. */
    notRead?: string;
    /** Of an image: why it would not boot, and where it says something else than its disk. */
    warnings: readonly string[];
}

interface PartitionAnswer {
    number?: number;
    use?: string;
    fileSystem?: string;
    label?: string;
}

interface DiskAnswer {
    architecture?: string;
    bootMode?: string;
    bootWarnings?: string[];
    os?: { id?: string; name?: string; cloudInit?: boolean };
    partitionTable?: string;
    partitions?: PartitionAnswer[];
    rootPartition?: number;
    fileSystemsNotRead?: string;
}

interface Answer {
    disk?: DiskAnswer;
    diskNotRead?: string;
    warnings?: string[];
}

function systemOf({ os, fileSystemsNotRead }: DiskAnswer): string | undefined {
    if (!os) {
        return fileSystemsNotRead && `Not told: ${fileSystemsNotRead}`;
    }
    return `${os.name || os.id || "A system without a name"}${os.cloudInit ? ", cloud-init" : ""}`;
}

function partitionText({ number, use, fileSystem, label }: PartitionAnswer): string {
    const words = [number, fileSystem, label, use && `(${use})`].filter((word) => word);
    return words.length > 0 ? words.join(" ") : "nothing known";
}

function partitionsOf({ partitionTable, partitions = [] }: DiskAnswer): string {
    const table = partitionTable && partitionTable !== "none" ? partitionTable.toUpperCase() : "No partition table";
    return `${table}: ${partitions.map(partitionText).join(", ") || "no partitions"}`;
}

function diskOf(answer: DiskAnswer): Disk {
    const { rootPartition } = answer;
    return {
        bootWarnings: answer.bootWarnings ?? [],
        system: systemOf(answer),
        architecture: answer.architecture,
        bootMode: answer.bootMode,
        partitions: partitionsOf(answer),
        root: rootPartition === undefined ? undefined : rootPartition ? `Partition ${rootPartition}` : "The whole disk",
    };
}

export function inspectionOf(answer: unknown): Inspection {
    const { disk, diskNotRead, warnings } = answer as Answer;
    return { disk: disk && diskOf(disk), notRead: diskNotRead, warnings: warnings ?? disk?.bootWarnings ?? [] };
}
