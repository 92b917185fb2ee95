// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import { Box, FormField, RadioGroup, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import type { Call } from "../cli/show";
import { ActionDialog } from "../forms/action-dialog";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

const kOutcomes: Readonly<Record<string, string>> = {
    success: "deleted",
    skipped: "kept: another AMI uses it",
    "missing-permissions": "kept: it belongs to another account",
    "client-error": "kept: the server refused to delete it",
    "internal-error": "kept: the server failed to delete it",
};

export function DeregisterDialog({ images }: { images: readonly Image[] }): ReactNode {
    const { perform } = useSession();
    const [withSnapshots, setWithSnapshots] = useState(false);
    const ids = images.map(({ ImageId }) => ImageId ?? "");
    const snapshots = [
        ...new Set(
            images.flatMap((image) => (image.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => Ebs?.SnapshotId ?? [])),
        ),
    ];
    const inputs = ids.map((ImageId) => ({ ImageId, ...(withSnapshots && { DeleteAssociatedSnapshots: true }) }));
    const calls = inputs.map((input): Call => ({ operation: "DeregisterImage", input }));

    async function work(): Promise<void> {
        for (const input of inputs) {
            const { DeleteSnapshotResults } = await perform("DeregisterImage", input);
            const results = (DeleteSnapshotResults ?? []).map(
                ({ SnapshotId, ReturnCode }) => `${SnapshotId ?? ""} ${kOutcomes[ReturnCode ?? ""] ?? ""}`,
            );
            flashSuccess(`${input.ImageId} deregistered`, results.join(", ") || undefined);
        }
    }

    return (
        <ActionDialog
            title={`Deregister ${ids.length === 1 ? "AMI" : `${ids.length} AMIs`}`}
            submitText="Deregister"
            calls={calls}
            work={work}
        >
            <SpaceBetween size="m">
                <Box>
                    Nothing can be launched from {ids.length === 1 ? "it" : "them"} any more, and this cannot be undone.
                    Instances made from {ids.length === 1 ? "it" : "them"} go on running.
                </Box>
                {images.map((image) => (
                    <Box key={image.ImageId} variant="strong">
                        {image.ImageId} ({image.Name})
                    </Box>
                ))}
                <FormField label="Snapshots" description={snapshots.length > 0 ? snapshots.join(", ") : "None."}>
                    <RadioGroup
                        value={withSnapshots ? "delete" : "keep"}
                        onChange={({ detail }) => setWithSnapshots(detail.value === "delete")}
                        items={[
                            {
                                value: "keep",
                                label: "Keep them",
                                description: "They go on taking space. An AMI can be registered from them again.",
                            },
                            {
                                value: "delete",
                                label: "Delete them",
                                description: "Those that another AMI uses are kept.",
                            },
                        ]}
                    />
                </FormField>
            </SpaceBetween>
        </ActionDialog>
    );
}
