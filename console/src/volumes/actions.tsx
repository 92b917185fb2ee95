// SPDX-License-Identifier: Apache-2.0
import type { Volume } from "@aws-sdk/client-ec2";
import type { Call } from "../cli/show";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import type { Action } from "../list/resource";
import { openDialog } from "../shell/dialogs";
import { CreateSnapshotDialog } from "../snapshots/create";
import { AttachToInstanceDialog } from "./attach";
import { ModifyVolumeDialog } from "./modify";
import { kVolumes } from "./resource";

const idOf = ([volume]: readonly Volume[]): string => volume?.VolumeId ?? "";

const available: Action<Volume>["refusal"] = (volumes) => {
    const other = volumes.find(({ State }) => State !== "available");
    return other && `${other.VolumeId ?? ""} is ${other.State ?? "gone"}; it must be available.`;
};

const inUse: Action<Volume>["refusal"] = ([volume]) =>
    volume?.State === "in-use" ? undefined : "The volume is not attached.";

export const volumeActions: readonly Action<Volume>[] = [
    {
        id: "snapshot",
        text: "Create snapshot",
        operation: "CreateSnapshot",
        takes: "one",
        run: (volumes) => openDialog(<CreateSnapshotDialog volumeId={idOf(volumes)} />),
    },
    {
        id: "modify",
        text: "Modify volume",
        operation: "ModifyVolume",
        takes: "one",
        run: ([volume]) => volume && openDialog(<ModifyVolumeDialog volume={volume} />),
    },
    {
        id: "attach",
        text: "Attach volume",
        operation: "AttachVolume",
        takes: "one",
        refusal: available,
        run: ([volume]) => volume && openDialog(<AttachToInstanceDialog volume={volume} />),
    },
    {
        id: "detach",
        text: "Detach volume",
        operation: "DetachVolume",
        takes: "one",
        refusal: inUse,
        run: (volumes) =>
            confirm({
                title: "Detach volume",
                text: "Unmount its file systems in the guest first. The guest is asked to let the disk go; as long as it does not, the volume stays attached.",
                subjects: [idOf(volumes)],
                submitText: "Detach",
                calls: [{ operation: "DetachVolume", input: { VolumeId: idOf(volumes) } }],
                done: `Detaching ${idOf(volumes)}`,
            }),
    },
    manageTags(() => kVolumes),
    {
        id: "delete",
        text: "Delete volume",
        operation: "DeleteVolume",
        takes: "some",
        refusal: available,
        run: (volumes) =>
            confirm({
                title: "Delete volume",
                text: "What is on it is lost. Snapshots of it stay.",
                subjects: volumes.map(({ VolumeId }) => VolumeId ?? ""),
                submitText: "Delete",
                calls: volumes.map(({ VolumeId }): Call => ({ operation: "DeleteVolume", input: { VolumeId } })),
                done: `Deleted: ${volumes.map(({ VolumeId }) => VolumeId).join(", ")}`,
            }),
    },
];
