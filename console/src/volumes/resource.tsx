// SPDX-License-Identifier: Apache-2.0
import type { Volume, VolumeAttachment } from "@aws-sdk/client-ec2";
import { Table, Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { Facts, gib, Reference, State, TagTable, time, yesNo } from "../list/display";
import { nameOf, type Resource } from "../list/resource";
import { ItemLink } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { volumeActions } from "./actions";
import { CreateVolumeDialog } from "./create";

const kAttachmentInTransition = new Set(["attaching", "detaching", "busy"]);

function inTransition({ State: state, Attachments }: Volume): boolean {
    const attaching = (Attachments ?? []).some((attachment) => kAttachmentInTransition.has(attachment.State ?? ""));
    return state === "creating" || state === "deleting" || attaching;
}

function VolumeDetails({ item }: { item: Volume }): ReactNode {
    return (
        <Tabs
            ariaLabel="Details of the volume"
            tabs={[
                {
                    id: "details",
                    label: "Details",
                    content: (
                        <Facts
                            facts={[
                                ["Volume ID", item.VolumeId],
                                ["State", <State state={item.State} />],
                                ["Size", gib(item.Size)],
                                ["Volume type", item.VolumeType],
                                ["IOPS", item.Iops?.toString()],
                                ["Throughput", item.Throughput && `${item.Throughput} MiB/s`],
                                ["Availability Zone", item.AvailabilityZone],
                                ["Created", time(item.CreateTime)],
                                ["Snapshot", <Reference route="snapshots" id={item.SnapshotId} />],
                                ["Encrypted", yesNo(item.Encrypted)],
                            ]}
                        />
                    ),
                },
                {
                    id: "attachments",
                    label: "Attachments",
                    content: (
                        <Table<VolumeAttachment>
                            variant="embedded"
                            items={item.Attachments ?? []}
                            ariaLabels={{ tableLabel: "Attachments" }}
                            columnDefinitions={[
                                {
                                    id: "instance",
                                    header: "Instance",
                                    cell: ({ InstanceId }) => <Reference route="instances" id={InstanceId} />,
                                    isRowHeader: true,
                                },
                                { id: "device", header: "Device", cell: ({ Device }) => Device },
                                {
                                    id: "state",
                                    header: "State",
                                    cell: (attachment) => <State state={attachment.State} />,
                                },
                                { id: "since", header: "Since", cell: ({ AttachTime }) => time(AttachTime) },
                                {
                                    id: "delete",
                                    header: "Delete on termination",
                                    cell: ({ DeleteOnTermination }) => yesNo(DeleteOnTermination),
                                },
                            ]}
                            empty="Attached to no instance."
                        />
                    ),
                },
                { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
            ]}
        />
    );
}

export const kVolumes: Resource<Volume> = {
    route: "volumes",
    singular: "volume",
    plural: "volumes",
    source: {
        idFilter: "volume-id",
        searchFilters: ["volume-id", "tag-value", "attachment.instance-id", "snapshot-id"],
        id: (volume) => volume.VolumeId ?? "",
        state: (volume) => volume.State,
        inTransition,
        async page(client, request) {
            const answer = await client.call("DescribeVolumes", request);
            return { items: answer.Volumes ?? [], nextToken: answer.NextToken };
        },
    },
    tags: (volume) => volume.Tags,
    sortedBy: "-created",
    columns: [
        {
            id: "id",
            header: "Volume ID",
            cell: ({ VolumeId }) => <ItemLink route="volumes" id={VolumeId ?? ""} />,
            sortBy: ({ VolumeId }) => VolumeId,
            width: 205,
        },
        {
            id: "name",
            header: "Name",
            cell: ({ Tags }) => nameOf(Tags) || "–",
            sortBy: ({ Tags }) => nameOf(Tags),
            width: 130,
        },
        {
            id: "state",
            header: "State",
            cell: (volume) => <State state={volume.State} />,
            sortBy: (volume) => volume.State,
            width: 120,
        },
        { id: "size", header: "Size", cell: ({ Size }) => gib(Size), sortBy: ({ Size }) => Size, width: 95 },
        {
            id: "type",
            header: "Type",
            cell: ({ VolumeType }) => VolumeType,
            sortBy: ({ VolumeType }) => VolumeType,
            width: 95,
        },
        {
            id: "attached",
            header: "Attached to",
            cell: ({ Attachments }) => <Reference route="instances" id={Attachments?.[0]?.InstanceId} />,
            sortBy: ({ Attachments }) => Attachments?.[0]?.InstanceId,
            width: 200,
        },
        { id: "device", header: "Device", cell: ({ Attachments }) => Attachments?.[0]?.Device ?? "–", width: 110 },
        {
            id: "created",
            header: "Created",
            cell: ({ CreateTime }) => time(CreateTime),
            sortBy: ({ CreateTime }) => CreateTime?.getTime(),
            width: 175,
        },
        {
            id: "snapshot",
            header: "Snapshot",
            cell: ({ SnapshotId }) => <Reference route="snapshots" id={SnapshotId} />,
            hidden: true,
        },
        { id: "zone", header: "Availability Zone", cell: ({ AvailabilityZone }) => AvailabilityZone, hidden: true },
        { id: "iops", header: "IOPS", cell: ({ Iops }) => Iops ?? "–", hidden: true },
    ],
    properties: [
        { key: "volume-id", label: "Volume ID" },
        { key: "tag:Name", label: "Tag Name" },
        { key: "status", label: "State", values: ["creating", "available", "in-use", "deleting", "error"] },
        { key: "volume-type", label: "Type", values: ["gp2", "gp3", "io1", "io2", "st1", "sc1", "standard"] },
        { key: "size", label: "Size" },
        { key: "attachment.instance-id", label: "Instance ID" },
        { key: "attachment.device", label: "Device" },
        { key: "snapshot-id", label: "Snapshot ID" },
        { key: "availability-zone", label: "Availability Zone" },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: volumeActions,
    empty: {
        title: "No volumes",
        hint: "Every instance brings its own; data volumes you make here.",
        action: { text: "Create volume", run: () => openDialog(<CreateVolumeDialog />) },
    },
    Details: VolumeDetails,
};
