// SPDX-License-Identifier: Apache-2.0
import type { Snapshot } from "@aws-sdk/client-ec2";
import { ProgressBar, Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Call } from "../cli/show";
import { DiskReport, useInspection } from "../disks/inspection";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import { Facts, gib, Reference, State, TagTable, time, yesNo } from "../list/display";
import { nameOf, type Action, type Resource } from "../list/resource";
import { ItemLink } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { navigate } from "../shell/router";
import { CreateVolumeDialog } from "../volumes/create";
import { RegisterImageDialog } from "./register";

// What an import puts where a snapshot of a volume names the volume.
const kNoVolume = "vol-ffffffff";

const completed: Action<Snapshot>["refusal"] = ([snapshot]) =>
    snapshot?.State === "completed" ? undefined : `The snapshot is ${snapshot?.State ?? "gone"}; it must be completed.`;

const snapshotActions: readonly Action<Snapshot>[] = [
    {
        id: "volume",
        text: "Create volume from snapshot",
        operation: "CreateVolume",
        takes: "one",
        refusal: completed,
        run: ([snapshot]) =>
            openDialog(<CreateVolumeDialog snapshotId={snapshot?.SnapshotId} size={snapshot?.VolumeSize} />),
    },
    {
        id: "register",
        text: "Create image from snapshot",
        operation: "RegisterImage",
        takes: "one",
        refusal: completed,
        run: ([snapshot]) => snapshot && openDialog(<RegisterImageDialog snapshot={snapshot} />),
    },
    {
        id: "images",
        text: "Find AMIs that use it",
        takes: "one",
        run: ([snapshot]) => navigate(`#/images?block-device-mapping.snapshot-id=${snapshot?.SnapshotId ?? ""}`),
    },
    manageTags(() => kSnapshots),
    {
        id: "delete",
        text: "Delete snapshot",
        operation: "DeleteSnapshot",
        takes: "some",
        run: (snapshots) =>
            confirm({
                title: "Delete snapshot",
                text: "This cannot be undone. Volumes and images made of it before are not touched; a snapshot that an AMI uses cannot be deleted.",
                subjects: snapshots.map(({ SnapshotId, Description }) => `${SnapshotId ?? ""} ${Description ?? ""}`),
                submitText: "Delete",
                calls: snapshots.map(({ SnapshotId }): Call => ({
                    operation: "DeleteSnapshot",
                    input: { SnapshotId },
                })),
                done: `Deleted: ${snapshots.map(({ SnapshotId }) => SnapshotId).join(", ")}`,
            }),
    },
];

/** "40%" as 40. */
export function percent(progress: string | undefined): number {
    return Number.parseInt(progress || "0", 10) || 0;
}

function Progress({ snapshot }: { snapshot: Snapshot }): ReactNode {
    if (snapshot.State !== "pending") {
        return snapshot.Progress || "–";
    }
    return (
        <ProgressBar
            ariaLabel={`Progress of ${snapshot.SnapshotId ?? "the snapshot"}`}
            value={percent(snapshot.Progress)}
        />
    );
}

function SnapshotDetails({ item }: { item: Snapshot }): ReactNode {
    const inspection = useInspection(item.State === "completed" ? item.SnapshotId : undefined);
    return (
        <Tabs
            ariaLabel="Details of the snapshot"
            tabs={[
                {
                    id: "details",
                    label: "Details",
                    content: (
                        <Facts
                            facts={[
                                ["Snapshot ID", item.SnapshotId],
                                ["State", <State state={item.State} />],
                                ["State message", item.StateMessage],
                                ["Progress", <Progress snapshot={item} />],
                                ["Size", gib(item.VolumeSize)],
                                [
                                    "Volume",
                                    item.VolumeId === kNoVolume ? (
                                        "None: imported"
                                    ) : (
                                        <Reference route="volumes" id={item.VolumeId} />
                                    ),
                                ],
                                ["Started", time(item.StartTime)],
                                ["Completed", time(item.CompletionTime)],
                                ["Description", item.Description],
                                ["Owner", item.OwnerAlias ?? item.OwnerId],
                                ["Encrypted", yesNo(item.Encrypted)],
                            ]}
                        />
                    ),
                },
                { id: "disk", label: "Disk", content: <DiskReport answer={inspection} /> },
                { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
            ]}
        />
    );
}

export const kSnapshots: Resource<Snapshot> = {
    route: "snapshots",
    singular: "snapshot",
    plural: "snapshots",
    source: {
        idFilter: "snapshot-id",
        searchFilters: ["snapshot-id", "description", "tag-value", "volume-id"],
        id: (snapshot) => snapshot.SnapshotId ?? "",
        state: (snapshot) => snapshot.State,
        inTransition: (snapshot) => snapshot.State === "pending",
        async page(client, request) {
            const answer = await client.call("DescribeSnapshots", { ...request, OwnerIds: ["self"] });
            return { items: answer.Snapshots ?? [], nextToken: answer.NextToken };
        },
    },
    tags: (snapshot) => snapshot.Tags,
    sortedBy: "-started",
    columns: [
        {
            id: "id",
            header: "Snapshot ID",
            cell: ({ SnapshotId }) => <ItemLink route="snapshots" id={SnapshotId ?? ""} />,
            sortBy: ({ SnapshotId }) => SnapshotId,
            width: 215,
        },
        {
            id: "name",
            header: "Name",
            cell: ({ Tags }) => nameOf(Tags) || "–",
            sortBy: ({ Tags }) => nameOf(Tags),
            width: 120,
        },
        {
            id: "state",
            header: "State",
            cell: (snapshot) => <State state={snapshot.State} />,
            sortBy: (snapshot) => snapshot.State,
            width: 140,
        },
        { id: "progress", header: "Progress", cell: (snapshot) => <Progress snapshot={snapshot} />, width: 120 },
        {
            id: "size",
            header: "Size",
            cell: ({ VolumeSize }) => gib(VolumeSize),
            sortBy: ({ VolumeSize }) => VolumeSize,
            width: 90,
        },
        {
            id: "description",
            header: "Description",
            cell: ({ Description }) => Description || "–",
            sortBy: ({ Description }) => Description,
            width: 250,
        },
        {
            id: "started",
            header: "Started",
            cell: ({ StartTime }) => time(StartTime),
            sortBy: ({ StartTime }) => StartTime?.getTime(),
            width: 175,
        },
        {
            id: "volume",
            header: "Volume",
            cell: ({ VolumeId }) => (VolumeId === kNoVolume ? "–" : <Reference route="volumes" id={VolumeId} />),
            hidden: true,
        },
    ],
    properties: [
        { key: "snapshot-id", label: "Snapshot ID" },
        { key: "description", label: "Description" },
        { key: "status", label: "State", values: ["pending", "completed", "error"] },
        { key: "volume-id", label: "Volume ID" },
        { key: "volume-size", label: "Size" },
        { key: "start-time", label: "Started" },
        { key: "tag:Name", label: "Tag Name" },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: snapshotActions,
    empty: {
        title: "No snapshots",
        hint: "A snapshot keeps what is on a volume at one instant. Create image makes them too.",
        action: { text: "Go to volumes", run: () => navigate("#/volumes") },
    },
    Details: SnapshotDetails,
};
