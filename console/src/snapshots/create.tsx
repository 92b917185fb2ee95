// SPDX-License-Identifier: Apache-2.0
import type { Tag } from "@aws-sdk/client-ec2";
import { FormField, Input, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { TagEditor, tagSpecifications } from "../forms/tag-editor";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

export function CreateSnapshotDialog({ volumeId: given = "" }: { volumeId?: string }): ReactNode {
    const { perform } = useSession();
    const [volumeId, setVolumeId] = useState(given);
    const [description, setDescription] = useState("");
    const [tags, setTags] = useState<readonly Tag[]>([]);
    const input = {
        VolumeId: volumeId,
        Description: description || undefined,
        TagSpecifications: tagSpecifications(tags, "snapshot"),
    };
    return (
        <ActionDialog
            title="Create snapshot"
            submitText="Create snapshot"
            calls={[{ operation: "CreateSnapshot", input }]}
            disabled={!volumeId}
            patterns={{ volume: /volume|IncorrectState/i, description: /description/i }}
            work={async () => {
                const { SnapshotId } = await perform("CreateSnapshot", input);
                flashSuccess(`Snapshot ${SnapshotId ?? ""} of ${volumeId} is being made`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField
                        label="Volume ID"
                        description="The snapshot holds what is on the volume at this instant, whatever its size."
                        errorText={fieldText(errorAt("volume"))}
                    >
                        <Input
                            value={volumeId}
                            placeholder="vol-…"
                            readOnly={given !== ""}
                            onChange={({ detail }) => setVolumeId(detail.value.trim())}
                        />
                    </FormField>
                    <FormField label="Description" errorText={fieldText(errorAt("description"))}>
                        <Input value={description} onChange={({ detail }) => setDescription(detail.value)} />
                    </FormField>
                    <FormField label="Tags" stretch>
                        <TagEditor tags={tags} onChange={setTags} />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
