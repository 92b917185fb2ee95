// SPDX-License-Identifier: Apache-2.0
import type { SecurityGroup, SecurityGroupRule } from "@aws-sdk/client-ec2";
import { Button, FormField, Header, Input, Select, SpaceBetween, Table } from "@cloudscape-design/components";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import type { Call } from "../cli/show";
import { ActionDialog } from "../forms/action-dialog";
import { confirm, performCall } from "../forms/confirm";
import { ErrorAlert, fieldText } from "../forms/error-alert";
import { changes } from "../list/changes";
import { useSession } from "../session/session";
import { useAnswer } from "../session/use-answer";
import { openDialog } from "../shell/dialogs";
import { flashSuccess } from "../shell/flash";
import {
    describeOtherSide,
    describePorts,
    describeProtocol,
    kAnywhere,
    kHostRange,
    kPresets,
    otherSides,
    permission,
} from "./rule";

interface RulesProps {
    group: SecurityGroup;
    egress: boolean;
}

const whereabouts = (client: Client) => client.whereabouts();

function AddRuleDialog({ group, egress }: RulesProps): ReactNode {
    const session = useSession();
    const { value: mine } = useAnswer(whereabouts);
    const sources = otherSides(mine?.range);
    const [preset, setPreset] = useState(kPresets[0]);
    const [ports, setPorts] = useState("");
    const [source, setSource] = useState(egress ? kAnywhere : kHostRange);
    const [typed, setTyped] = useState("");
    const [description, setDescription] = useState("");
    const otherSide = source === "custom" ? typed : source;
    const input = {
        GroupId: group.GroupId,
        IpPermissions: preset ? [permission(preset, ports, otherSide, description)] : [],
    };
    const call: Call = egress
        ? { operation: "AuthorizeSecurityGroupEgress", input }
        : { operation: "AuthorizeSecurityGroupIngress", input };
    const askPorts = preset?.ports === undefined;
    return (
        <ActionDialog
            title={`Add ${egress ? "outbound" : "inbound"} rule to ${group.GroupName ?? ""}`}
            submitText="Add rule"
            calls={[call]}
            disabled={!otherSide || (askPorts && !/^\s*\d+\s*(-\s*\d+\s*)?$/.test(ports))}
            patterns={{ ports: /port/i, source: /CIDR|InvalidGroup|source/i }}
            work={async () => {
                await performCall(session, call);
                flashSuccess("Rule added. It is in force now.");
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField label="Type">
                        <Select
                            selectedOption={preset ?? null}
                            options={kPresets}
                            onChange={({ detail }) =>
                                setPreset(kPresets.find(({ value }) => value === detail.selectedOption.value))
                            }
                        />
                    </FormField>
                    {askPorts && (
                        <FormField
                            label="Ports"
                            constraintText="One, as 8080, or a range, as 8000-8080."
                            errorText={fieldText(errorAt("ports"))}
                        >
                            <Input value={ports} onChange={({ detail }) => setPorts(detail.value)} />
                        </FormField>
                    )}
                    <FormField label={egress ? "Destination" : "Source"} errorText={fieldText(errorAt("source"))}>
                        <SpaceBetween size="xs">
                            <Select
                                selectedOption={sources.find(({ value }) => value === source) ?? null}
                                options={sources}
                                onChange={({ detail }) => setSource(detail.selectedOption.value ?? "custom")}
                            />
                            {source === "custom" && (
                                <Input
                                    ariaLabel="Range or security group"
                                    value={typed}
                                    placeholder="192.0.2.0/24 or sg-…"
                                    onChange={({ detail }) => setTyped(detail.value.trim())}
                                />
                            )}
                        </SpaceBetween>
                    </FormField>
                    <FormField label="Description">
                        <Input value={description} onChange={({ detail }) => setDescription(detail.value)} />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}

function revoke(group: SecurityGroup, rule: SecurityGroupRule, egress: boolean): void {
    const input = { GroupId: group.GroupId, SecurityGroupRuleIds: [rule.SecurityGroupRuleId ?? ""] };
    confirm({
        title: "Remove rule",
        text: "New connections that only this rule lets through are refused from now on; those under way go on.",
        subjects: [`${describeProtocol(rule)} ${describePorts(rule)}, ${describeOtherSide(rule)}`],
        submitText: "Remove",
        calls: [
            egress
                ? { operation: "RevokeSecurityGroupEgress", input }
                : { operation: "RevokeSecurityGroupIngress", input },
        ],
        done: `Rule removed from ${group.GroupName ?? ""}`,
    });
}

export function Rules({ group, egress }: RulesProps): ReactNode {
    const id = group.GroupId ?? "";
    const ask = useCallback(
        async (client: Client) => {
            const answer = await client.call("DescribeSecurityGroupRules", {
                Filters: [{ Name: "group-id", Values: [id] }],
            });
            return (answer.SecurityGroupRules ?? []).filter(({ IsEgress }) => IsEgress === egress);
        },
        [id, egress],
    );
    const { value, error, loading, reload } = useAnswer(ask);
    useEffect(() => changes.subscribe(reload), [reload]);
    return (
        <SpaceBetween size="s">
            <ErrorAlert error={error} />
            <Table<SecurityGroupRule>
                variant="embedded"
                items={value ?? []}
                loading={loading && !value}
                loadingText="Loading rules"
                ariaLabels={{ tableLabel: egress ? "Outbound rules" : "Inbound rules" }}
                header={
                    <Header
                        variant="h2"
                        description={
                            egress ? "What instances of the group may reach." : "Who may reach instances of the group."
                        }
                        actions={
                            <Button onClick={() => openDialog(<AddRuleDialog group={group} egress={egress} />)}>
                                Add rule
                            </Button>
                        }
                    >
                        {egress ? "Outbound rules" : "Inbound rules"}
                    </Header>
                }
                columnDefinitions={[
                    {
                        id: "id",
                        header: "Rule ID",
                        cell: ({ SecurityGroupRuleId }) => SecurityGroupRuleId,
                        isRowHeader: true,
                    },
                    { id: "protocol", header: "Protocol", cell: describeProtocol },
                    { id: "ports", header: "Ports", cell: describePorts },
                    { id: "other", header: egress ? "Destination" : "Source", cell: describeOtherSide },
                    { id: "description", header: "Description", cell: ({ Description }) => Description || "–" },
                    {
                        id: "remove",
                        header: "Remove",
                        cell: (rule) => (
                            <Button
                                variant="inline-icon"
                                iconName="remove"
                                ariaLabel={`Remove rule ${rule.SecurityGroupRuleId ?? ""}`}
                                onClick={() => revoke(group, rule, egress)}
                            />
                        ),
                    },
                ]}
                empty={egress ? "No rules: nothing gets out." : "No rules: nobody gets in."}
            />
        </SpaceBetween>
    );
}
