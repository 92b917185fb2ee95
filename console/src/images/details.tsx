// SPDX-License-Identifier: Apache-2.0
import type { BlockDeviceMapping, Image } from "@aws-sdk/client-ec2";
import { SpaceBetween, Table, Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { BootWarnings, DiskReport, useInspection } from "../disks/inspection";
import { Facts, gib, Reference, State, TagTable, time, yesNo } from "../list/display";

function ImageFacts({ image }: { image: Image }): ReactNode {
    return (
        <Facts
            facts={[
                ["AMI ID", image.ImageId],
                ["AMI name", image.Name],
                ["State", <State state={image.State} />],
                ["State reason", image.StateReason?.Message],
                ["Visibility", image.Public ? "Public" : "Private"],
                ["Owner", image.ImageOwnerAlias ?? image.OwnerId],
                ["Description", image.Description],
                ["Created", time(image.CreationDate)],
                ["Made of instance", <Reference route="instances" id={image.SourceInstanceId} />],
                ["Source image", image.SourceImageId && `${image.SourceImageId} (${image.SourceImageRegion ?? "–"})`],
                ["Last launched", time(image.LastLaunchedTime)],
                ["Deprecation time", time(image.DeprecationTime)],
                ["Architecture", image.Architecture],
                ["Virtualization", image.VirtualizationType],
                ["Boot mode", image.BootMode],
                ["Platform", image.PlatformDetails],
                ["Root device", `${image.RootDeviceName ?? "–"} (${image.RootDeviceType ?? "–"})`],
                ["ENA support", yesNo(image.EnaSupport)],
                ["IMDS support", image.ImdsSupport],
                ["Deregistration protection", image.DeregistrationProtection],
            ]}
        />
    );
}

export function MappingTable({ mappings }: { mappings: readonly BlockDeviceMapping[] | undefined }): ReactNode {
    return (
        <Table<BlockDeviceMapping>
            variant="embedded"
            items={[...(mappings ?? [])]}
            ariaLabels={{ tableLabel: "Block devices" }}
            columnDefinitions={[
                { id: "device", header: "Device", cell: ({ DeviceName }) => DeviceName, isRowHeader: true },
                {
                    id: "snapshot",
                    header: "Snapshot",
                    cell: ({ Ebs }) => <Reference route="snapshots" id={Ebs?.SnapshotId} />,
                },
                { id: "size", header: "Size", cell: ({ Ebs, VirtualName }) => VirtualName ?? gib(Ebs?.VolumeSize) },
                { id: "type", header: "Volume type", cell: ({ Ebs }) => Ebs?.VolumeType ?? "–" },
                { id: "delete", header: "Delete on termination", cell: ({ Ebs }) => yesNo(Ebs?.DeleteOnTermination) },
                { id: "encrypted", header: "Encrypted", cell: ({ Ebs }) => yesNo(Ebs?.Encrypted) },
            ]}
            empty="No devices."
        />
    );
}

export function ImageDetails({ item }: { item: Image }): ReactNode {
    const complete = item.State === "available" || item.State === "disabled";
    const inspection = useInspection(complete ? item.ImageId : undefined);
    return (
        <SpaceBetween size="s">
            <BootWarnings subject="AMI" warnings={inspection.value?.warnings ?? []} />
            <Tabs
                ariaLabel="Details of the AMI"
                tabs={[
                    { id: "details", label: "Details", content: <ImageFacts image={item} /> },
                    { id: "disk", label: "Disk", content: <DiskReport answer={inspection} /> },
                    { id: "storage", label: "Storage", content: <MappingTable mappings={item.BlockDeviceMappings} /> },
                    { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
                ]}
            />
        </SpaceBetween>
    );
}
