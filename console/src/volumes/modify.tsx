// SPDX-License-Identifier: Apache-2.0
import type { Volume, VolumeType } from "@aws-sdk/client-ec2";
import { FormField, Input, Select, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { kVolumeTypes, takesIops } from "../forms/storage";
import { noteChange } from "../list/changes";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

const kPollMs = 500;
const kTurns = 20;

/** Lists show the new values from then on; what takes longer they show when they are asked again. */
async function changed(client: Client, id: string): Promise<void> {
    for (let turn = 0; turn < kTurns; turn++) {
        const answer = await client.call("DescribeVolumesModifications", { VolumeIds: [id] });
        if (answer.VolumesModifications?.[0]?.ModificationState !== "modifying") {
            break;
        }
        await new Promise((next) => window.setTimeout(next, kPollMs));
    }
    noteChange();
}

/** Asks for what differs alone: the service keeps the rest, or gives a new type its defaults. */
export function ModifyVolumeDialog({ volume }: { volume: Volume }): ReactNode {
    const { client, perform } = useSession();
    const [size, setSize] = useState(String(volume.Size ?? ""));
    const [type, setType] = useState<string>(volume.VolumeType ?? "gp2");
    // What the size gives a gp2 volume was not chosen, and is not asked of a new type.
    const chosen = takesIops(volume.VolumeType ?? "") ? volume.Iops : undefined;
    const [iops, setIops] = useState(chosen?.toString() ?? "");
    const isNewType = type !== volume.VolumeType;
    const isNewIops = takesIops(type) && iops !== "" && (isNewType || Number(iops) !== chosen);
    const changes = {
        ...(size !== "" && Number(size) !== volume.Size && { Size: Number(size) }),
        ...(isNewType && { VolumeType: type as VolumeType }),
        ...(isNewIops && { Iops: Number(iops) }),
    };
    const input = { VolumeId: volume.VolumeId, ...changes };
    return (
        <ActionDialog
            title={`Modify ${volume.VolumeId ?? ""}`}
            submitText="Modify"
            calls={[{ operation: "ModifyVolume", input }]}
            disabled={Object.keys(changes).length === 0}
            patterns={{ iops: /iops/i, type: /type/i, size: /size|GiB/i }}
            work={async () => {
                await perform("ModifyVolume", input);
                await changed(client, volume.VolumeId ?? "");
                flashSuccess(`Modifying ${volume.VolumeId ?? ""}`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField
                        label="Size (GiB)"
                        description="A volume only grows. A running instance sees it at once; its file system is then to be grown in the guest."
                        errorText={fieldText(errorAt("size"))}
                    >
                        <Input type="number" value={size} onChange={({ detail }) => setSize(detail.value)} />
                    </FormField>
                    <FormField label="Volume type" errorText={fieldText(errorAt("type"))}>
                        <Select
                            selectedOption={{ value: type }}
                            options={kVolumeTypes.map((value) => ({ value }))}
                            onChange={({ detail }) => setType(detail.selectedOption.value ?? type)}
                        />
                    </FormField>
                    {takesIops(type) && (
                        <FormField label="IOPS" errorText={fieldText(errorAt("iops"))}>
                            <Input
                                type="number"
                                value={iops}
                                placeholder="3000"
                                onChange={({ detail }) => setIops(detail.value)}
                            />
                        </FormField>
                    )}
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
