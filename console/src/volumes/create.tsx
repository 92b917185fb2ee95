// SPDX-License-Identifier: Apache-2.0
import type { Tag, VolumeType } from "@aws-sdk/client-ec2";
import { FormField, Input, Select, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { kVolumeTypes, takesIops } from "../forms/storage";
import { TagEditor, tagSpecifications } from "../forms/tag-editor";
import { useSession } from "../session/session";
import { useAnswer } from "../session/use-answer";
import { flashSuccess } from "../shell/flash";

const zones = async (client: Client) =>
    ((await client.call("DescribeAvailabilityZones", {})).AvailabilityZones ?? []).map(
        ({ ZoneName }) => ZoneName ?? "",
    );

interface CreateVolumeDialogProps {
    snapshotId?: string;
    /** GiB */
    size?: number;
}

export function CreateVolumeDialog({
    snapshotId: given = "",
    size: givenSize = 8,
}: CreateVolumeDialogProps): ReactNode {
    const { perform } = useSession();
    const { value: known, error: zoneError } = useAnswer(zones);
    const [zone, setZone] = useState("");
    const [size, setSize] = useState(String(givenSize));
    const [type, setType] = useState("gp2");
    const [iops, setIops] = useState("");
    const [snapshotId, setSnapshotId] = useState(given);
    const [tags, setTags] = useState<readonly Tag[]>([]);
    const AvailabilityZone = zone || known?.[0];
    const input = {
        AvailabilityZone,
        Size: size ? Number(size) : undefined,
        SnapshotId: snapshotId || undefined,
        VolumeType: type as VolumeType,
        Iops: takesIops(type) && iops ? Number(iops) : undefined,
        TagSpecifications: tagSpecifications(tags, "volume"),
    };
    return (
        <ActionDialog
            title="Create volume"
            submitText="Create volume"
            calls={[{ operation: "CreateVolume", input }]}
            disabled={!AvailabilityZone}
            patterns={{ iops: /iops/i, snapshot: /snapshot/i, zone: /zone/i, size: /size|GiB/i }}
            work={async () => {
                const { VolumeId } = await perform("CreateVolume", input);
                flashSuccess(`Volume ${VolumeId ?? ""} created`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField
                        label="Availability Zone"
                        description="It can be attached to instances of this zone."
                        errorText={fieldText(zoneError ?? errorAt("zone"))}
                    >
                        <Select
                            selectedOption={AvailabilityZone ? { value: AvailabilityZone } : null}
                            options={(known ?? []).map((value) => ({ value }))}
                            onChange={({ detail }) => setZone(detail.selectedOption.value ?? "")}
                        />
                    </FormField>
                    <FormField
                        label="Snapshot"
                        description="What is on it at first. None: an empty disk."
                        errorText={fieldText(errorAt("snapshot"))}
                    >
                        <Input
                            value={snapshotId}
                            placeholder="snap-…"
                            onChange={({ detail }) => setSnapshotId(detail.value.trim())}
                        />
                    </FormField>
                    <FormField label="Size (GiB)" errorText={fieldText(errorAt("size"))}>
                        <Input type="number" value={size} onChange={({ detail }) => setSize(detail.value)} />
                    </FormField>
                    <FormField label="Volume type">
                        <Select
                            selectedOption={{ value: type }}
                            options={kVolumeTypes.map((value) => ({ value }))}
                            onChange={({ detail }) => setType(detail.selectedOption.value ?? "gp2")}
                        />
                    </FormField>
                    {takesIops(type) && (
                        <FormField label="IOPS" errorText={fieldText(errorAt("iops"))}>
                            <Input
                                type="number"
                                value={iops}
                                placeholder={type === "gp3" ? "3000" : ""}
                                onChange={({ detail }) => setIops(detail.value)}
                            />
                        </FormField>
                    )}
                    <FormField label="Tags" stretch>
                        <TagEditor tags={tags} onChange={setTags} />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
