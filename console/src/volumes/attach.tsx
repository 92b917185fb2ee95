// SPDX-License-Identifier: Apache-2.0
// Joining a volume and an instance, begun from either side.
import type { Instance, Volume } from "@aws-sdk/client-ec2";
import { FormField, Input, Select, SpaceBetween } from "@cloudscape-design/components";
import { useCallback, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ActionDialog } from "../forms/action-dialog";
import { ErrorAlert, fieldText } from "../forms/error-alert";
import { nameOf } from "../list/resource";
import { useSession } from "../session/session";
import { useAnswer } from "../session/use-answer";
import { flashSuccess } from "../shell/flash";

interface Choice {
    value: string;
    label: string;
    description?: string;
}

interface AttachFormProps {
    title: string;
    label: string;
    choices: readonly Choice[] | undefined;
    loading: boolean;
    error: Parameters<typeof ErrorAlert>[0]["error"];
    /** The pair that a choice makes. */
    pair(choice: string): { VolumeId: string; InstanceId: string };
}

function AttachForm({ title, label, choices, loading, error, pair }: AttachFormProps): ReactNode {
    const { perform } = useSession();
    const [chosen, setChosen] = useState("");
    const [device, setDevice] = useState("/dev/sdf");
    const input = { ...pair(chosen), Device: device };
    return (
        <ActionDialog
            title={title}
            submitText="Attach"
            calls={[{ operation: "AttachVolume", input }]}
            disabled={!chosen || !device}
            patterns={{ device: /device/i }}
            work={async () => {
                await perform("AttachVolume", input);
                flashSuccess(`Attaching ${input.VolumeId} to ${input.InstanceId} as ${device}`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <ErrorAlert error={error} />
                    <FormField label={label}>
                        <Select
                            selectedOption={choices?.find(({ value }) => value === chosen) ?? null}
                            options={choices ?? []}
                            placeholder="Choose"
                            filteringType="auto"
                            statusType={loading ? "loading" : "finished"}
                            empty="None in this zone can be chosen."
                            onChange={({ detail }) => setChosen(detail.selectedOption.value ?? "")}
                        />
                    </FormField>
                    <FormField
                        label="Device name"
                        constraintText="/dev/sdf to /dev/sdp for data volumes. The guest may name it otherwise; the disk's serial is the volume ID."
                        errorText={fieldText(errorAt("device"))}
                    >
                        <Input value={device} onChange={({ detail }) => setDevice(detail.value.trim())} />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}

export function AttachVolumeDialog({ instance }: { instance: Instance }): ReactNode {
    const zone = instance.Placement?.AvailabilityZone ?? "";
    const ask = useCallback(
        async (client: Client) => {
            const Filters = [
                { Name: "status", Values: ["available"] },
                { Name: "availability-zone", Values: [zone] },
            ];
            const { Volumes } = await client.call("DescribeVolumes", { Filters });
            return (Volumes ?? []).map(({ VolumeId, Size, Tags }) => ({
                value: VolumeId ?? "",
                label: VolumeId ?? "",
                description: `${Size ?? 0} GiB ${nameOf(Tags)}`,
            }));
        },
        [zone],
    );
    const { value, loading, error } = useAnswer(ask);
    return (
        <AttachForm
            title={`Attach a volume to ${instance.InstanceId ?? ""}`}
            label="Volume"
            choices={value}
            loading={loading}
            error={error}
            pair={(VolumeId) => ({ VolumeId, InstanceId: instance.InstanceId ?? "" })}
        />
    );
}

export function AttachToInstanceDialog({ volume }: { volume: Volume }): ReactNode {
    const zone = volume.AvailabilityZone ?? "";
    const ask = useCallback(
        async (client: Client) => {
            const Filters = [
                { Name: "instance-state-name", Values: ["running", "stopped"] },
                { Name: "availability-zone", Values: [zone] },
            ];
            const { Reservations } = await client.call("DescribeInstances", { Filters });
            return (Reservations ?? [])
                .flatMap(({ Instances }) => Instances ?? [])
                .map(({ InstanceId, State, Tags }) => ({
                    value: InstanceId ?? "",
                    label: InstanceId ?? "",
                    description: `${State?.Name ?? ""} ${nameOf(Tags)}`,
                }));
        },
        [zone],
    );
    const { value, loading, error } = useAnswer(ask);
    return (
        <AttachForm
            title={`Attach ${volume.VolumeId ?? ""}`}
            label="Instance"
            choices={value}
            loading={loading}
            error={error}
            pair={(InstanceId) => ({ VolumeId: volume.VolumeId ?? "", InstanceId })}
        />
    );
}
