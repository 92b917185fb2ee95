// SPDX-License-Identifier: Apache-2.0
// The settings of an instance that can be changed: one dialog each.
import type { HttpTokensState, Instance, InstanceMetadataTagsState } from "@aws-sdk/client-ec2";
import { Checkbox, FormField, Input, Multiselect, SpaceBetween, StatusIndicator } from "@cloudscape-design/components";
import { useCallback, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ActionDialog } from "../forms/action-dialog";
import { ErrorAlert, fieldText } from "../forms/error-alert";
import { TypeSelect } from "../launch/type-section";
import { useSession } from "../session/session";
import { useAnswer } from "../session/use-answer";
import { flashSuccess } from "../shell/flash";

interface InstanceDialogProps {
    instance: Instance;
}

export function TypeDialog({ instance }: InstanceDialogProps): ReactNode {
    const { perform } = useSession();
    const id = instance.InstanceId ?? "";
    const [type, setType] = useState<string>(instance.InstanceType ?? "");
    const input = { InstanceId: id, InstanceType: { Value: type } };
    return (
        <ActionDialog
            title={`Instance type of ${id}`}
            submitText="Change type"
            calls={[{ operation: "ModifyInstanceAttribute", input }]}
            disabled={type === instance.InstanceType}
            patterns={{ type: /type/i }}
            work={async () => {
                await perform("ModifyInstanceAttribute", input);
                flashSuccess(`${id} is now ${type}`);
            }}
        >
            {(errorAt) => (
                <FormField label="Instance type" errorText={fieldText(errorAt("type"))}>
                    <TypeSelect image={undefined} value={type} onChange={setType} />
                </FormField>
            )}
        </ActionDialog>
    );
}

const allGroups = async (client: Client) => (await client.call("DescribeSecurityGroups", {})).SecurityGroups ?? [];

export function SecurityGroupsDialog({ instance }: InstanceDialogProps): ReactNode {
    const { perform } = useSession();
    const { value: known, error } = useAnswer(allGroups);
    const id = instance.InstanceId ?? "";
    const [ids, setIds] = useState((instance.SecurityGroups ?? []).map(({ GroupId }) => GroupId ?? ""));
    const input = { InstanceId: id, Groups: ids };
    const options = (known ?? [])
        .filter(({ VpcId }) => VpcId === instance.VpcId)
        .map(({ GroupId, GroupName }) => ({ value: GroupId ?? "", label: GroupName, labelTag: GroupId }));
    return (
        <ActionDialog
            title={`Security groups of ${id}`}
            submitText="Save"
            calls={[{ operation: "ModifyInstanceAttribute", input }]}
            disabled={ids.length === 0}
            work={async () => {
                await perform("ModifyInstanceAttribute", input);
                flashSuccess(`Security groups of ${id} changed`);
            }}
        >
            <SpaceBetween size="m">
                <ErrorAlert error={error} />
                <FormField label="Security groups" constraintText="In force at once. One to five.">
                    <Multiselect
                        selectedOptions={ids.map((one) => options.find(({ value }) => value === one) ?? { value: one })}
                        options={options}
                        filteringType="auto"
                        onChange={({ detail }) => setIds(detail.selectedOptions.map(({ value }) => value ?? ""))}
                    />
                </FormField>
            </SpaceBetween>
        </ActionDialog>
    );
}

export function MetadataDialog({ instance }: InstanceDialogProps): ReactNode {
    const { perform } = useSession();
    const id = instance.InstanceId ?? "";
    const now = instance.MetadataOptions;
    const [enabled, setEnabled] = useState(now?.HttpEndpoint !== "disabled");
    const [required, setRequired] = useState(now?.HttpTokens === "required");
    const [hops, setHops] = useState(String(now?.HttpPutResponseHopLimit ?? 1));
    const [tags, setTags] = useState(now?.InstanceMetadataTags === "enabled");
    const input = enabled
        ? {
              InstanceId: id,
              HttpEndpoint: "enabled" as const,
              HttpTokens: (required ? "required" : "optional") as HttpTokensState,
              HttpPutResponseHopLimit: Number(hops),
              InstanceMetadataTags: (tags ? "enabled" : "disabled") as InstanceMetadataTagsState,
          }
        : { InstanceId: id, HttpEndpoint: "disabled" as const };
    return (
        <ActionDialog
            title={`Metadata options of ${id}`}
            submitText="Save"
            calls={[{ operation: "ModifyInstanceMetadataOptions", input }]}
            patterns={{ hops: /hop/i }}
            work={async () => {
                await perform("ModifyInstanceMetadataOptions", input);
                flashSuccess(`Metadata options of ${id} changed`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <Checkbox checked={enabled} onChange={({ detail }) => setEnabled(detail.checked)}>
                        The guest may read its metadata
                    </Checkbox>
                    <Checkbox
                        checked={required}
                        disabled={!enabled}
                        onChange={({ detail }) => setRequired(detail.checked)}
                    >
                        Require tokens (IMDSv2)
                    </Checkbox>
                    <Checkbox checked={tags} disabled={!enabled} onChange={({ detail }) => setTags(detail.checked)}>
                        Show the instance's tags in its metadata
                    </Checkbox>
                    <FormField
                        label="Response hop limit"
                        constraintText="1 to 64"
                        errorText={fieldText(errorAt("hops"))}
                    >
                        <Input
                            type="number"
                            value={hops}
                            disabled={!enabled}
                            onChange={({ detail }) => setHops(detail.value)}
                        />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}

export function ProtectionDialog({ instance }: InstanceDialogProps): ReactNode {
    const { perform } = useSession();
    const id = instance.InstanceId ?? "";
    const ask = useCallback(
        async (client: Client) => {
            const answer = await client.call("DescribeInstanceAttribute", {
                InstanceId: id,
                Attribute: "disableApiTermination",
            });
            return answer.DisableApiTermination?.Value ?? false;
        },
        [id],
    );
    const { value: before, error } = useAnswer(ask);
    const [chosen, setChosen] = useState<boolean>();
    const on = chosen ?? before ?? false;
    const input = { InstanceId: id, DisableApiTermination: { Value: on } };
    return (
        <ActionDialog
            title={`Termination protection of ${id}`}
            submitText="Save"
            calls={[{ operation: "ModifyInstanceAttribute", input }]}
            disabled={before === undefined || on === before}
            work={async () => {
                await perform("ModifyInstanceAttribute", input);
                flashSuccess(on ? `${id} cannot be terminated now` : `${id} can be terminated now`);
            }}
        >
            <SpaceBetween size="m">
                <ErrorAlert error={error} />
                {before === undefined && !error && <StatusIndicator type="loading">Loading</StatusIndicator>}
                <Checkbox
                    checked={on}
                    disabled={before === undefined}
                    description="Terminating is refused as long as this is on."
                    onChange={({ detail }) => setChosen(detail.checked)}
                >
                    Termination protection
                </Checkbox>
            </SpaceBetween>
        </ActionDialog>
    );
}
