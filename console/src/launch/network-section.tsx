// SPDX-License-Identifier: Apache-2.0
import {
    Container,
    FormField,
    Header,
    Input,
    Multiselect,
    RadioGroup,
    Select,
    SpaceBetween,
} from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Client } from "../api/client";
import { useAnswer } from "../session/use-answer";
import { kRanges, type Access, type Draft } from "./draft";

const subnets = async (client: Client) => (await client.call("DescribeSubnets", {})).Subnets ?? [];
const groups = async (client: Client) => (await client.call("DescribeSecurityGroups", {})).SecurityGroups ?? [];

const kDefaultSubnet = { value: "", label: "Default subnet of the region's first zone" };

const whereabouts = (client: Client) => client.whereabouts();

const accesses = (mine: string | undefined): { value: Access | "mine"; label: string; description?: string }[] => [
    {
        value: "host",
        label: mine === kRanges.host ? "My address: this server's host only" : "This server's host only",
        description: `${kRanges.host}: kiln ssh works from anywhere, as it goes through the server.`,
    },
    ...(mine && mine !== kRanges.host ? [{ value: "mine" as const, label: "My address", description: mine }] : []),
    { value: "anywhere", label: "Anywhere", description: `${kRanges.anywhere}: everybody who reaches the address.` },
    { value: "custom", label: "A range of addresses" },
    { value: "none", label: "Nobody" },
];

interface NetworkSectionProps {
    draft: Draft;
    onChange(change: Partial<Draft>): void;
    errorText?: string;
}

function NewGroup({ draft, onChange }: NetworkSectionProps): ReactNode {
    const { value: client } = useAnswer(whereabouts);
    const mine = client?.range;
    const isMine = draft.sshFrom === "custom" && draft.sshRange !== "" && draft.sshRange === mine;
    function choose(from: Access | "mine"): void {
        onChange(from === "mine" ? { sshFrom: "custom", sshRange: mine ?? "" } : { sshFrom: from, sshRange: "" });
    }
    return (
        <SpaceBetween size="m">
            <FormField label="Security group name">
                <Input value={draft.groupName} onChange={({ detail }) => onChange({ groupName: detail.value })} />
            </FormField>
            <FormField label="Allow ssh from">
                <RadioGroup
                    value={isMine ? "mine" : draft.sshFrom}
                    items={accesses(mine)}
                    onChange={({ detail }) => choose(detail.value as Access | "mine")}
                />
            </FormField>
            {draft.sshFrom === "custom" && !isMine && (
                <FormField label="Range" constraintText="In CIDR notation, as 192.0.2.0/24.">
                    <Input
                        value={draft.sshRange}
                        onChange={({ detail }) => onChange({ sshRange: detail.value.trim() })}
                    />
                </FormField>
            )}
        </SpaceBetween>
    );
}

function ExistingGroups({ draft, onChange }: NetworkSectionProps): ReactNode {
    const { value: known, loading, error } = useAnswer(groups);
    const options = (known ?? []).map(({ GroupId, GroupName, Description }) => ({
        value: GroupId ?? "",
        label: GroupName,
        labelTag: GroupId,
        description: Description,
    }));
    return (
        <FormField label="Security groups" constraintText="None chosen: the group default.">
            <Multiselect
                selectedOptions={draft.groupIds.map((id) => options.find(({ value }) => value === id) ?? { value: id })}
                options={options}
                placeholder="default"
                filteringType="auto"
                statusType={loading ? "loading" : error ? "error" : "finished"}
                errorText={error?.message}
                onChange={({ detail }) =>
                    onChange({ groupIds: detail.selectedOptions.map(({ value }) => value ?? "") })
                }
            />
        </FormField>
    );
}

export function NetworkSection(props: NetworkSectionProps): ReactNode {
    const { draft, onChange, errorText } = props;
    const { value: known, loading, error } = useAnswer(subnets);
    const options = (known ?? []).map(({ SubnetId, CidrBlock, AvailabilityZone }) => ({
        value: SubnetId ?? "",
        label: SubnetId,
        description: `${CidrBlock ?? ""} in ${AvailabilityZone ?? ""}`,
    }));
    return (
        <Container header={<Header variant="h2">Network</Header>}>
            <SpaceBetween size="m">
                <FormField label="Subnet" errorText={errorText}>
                    <Select
                        selectedOption={options.find(({ value }) => value === draft.subnetId) ?? kDefaultSubnet}
                        options={[kDefaultSubnet, ...options]}
                        statusType={loading ? "loading" : error ? "error" : "finished"}
                        errorText={error?.message}
                        onChange={({ detail }) => onChange({ subnetId: detail.selectedOption.value ?? "" })}
                    />
                </FormField>
                <FormField label="Firewall (security groups)">
                    <RadioGroup
                        value={draft.newGroup ? "new" : "existing"}
                        onChange={({ detail }) => onChange({ newGroup: detail.value === "new" })}
                        items={[
                            { value: "existing", label: "Select existing security groups" },
                            { value: "new", label: "Create a security group" },
                        ]}
                    />
                </FormField>
                {draft.newGroup ? <NewGroup {...props} /> : <ExistingGroups {...props} />}
            </SpaceBetween>
        </Container>
    );
}
