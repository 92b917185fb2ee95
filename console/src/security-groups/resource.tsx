// SPDX-License-Identifier: Apache-2.0
import type { SecurityGroup } from "@aws-sdk/client-ec2";
import { Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Call } from "../cli/show";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import { Facts, TagTable } from "../list/display";
import { nameOf, type Action, type Resource } from "../list/resource";
import { ItemLink } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { CreateSecurityGroupDialog } from "./create";
import { Rules } from "./rules";

const groupActions: readonly Action<SecurityGroup>[] = [
    manageTags(() => kSecurityGroups),
    {
        id: "delete",
        text: "Delete security group",
        operation: "DeleteSecurityGroup",
        takes: "some",
        refusal: (groups) =>
            groups.some(({ GroupName }) => GroupName === "default") ? "The group default stays." : undefined,
        run: (groups) =>
            confirm({
                title: "Delete security group",
                text: "A group that instances have or that a rule names cannot be deleted.",
                subjects: groups.map(({ GroupId, GroupName }) => `${GroupId ?? ""} (${GroupName ?? ""})`),
                submitText: "Delete",
                calls: groups.map(({ GroupId }): Call => ({ operation: "DeleteSecurityGroup", input: { GroupId } })),
                done: `Deleted: ${groups.map(({ GroupName }) => GroupName).join(", ")}`,
            }),
    },
];

function GroupDetails({ item }: { item: SecurityGroup }): ReactNode {
    return (
        <Tabs
            ariaLabel="Details of the security group"
            tabs={[
                { id: "inbound", label: "Inbound rules", content: <Rules group={item} egress={false} /> },
                { id: "outbound", label: "Outbound rules", content: <Rules group={item} egress /> },
                {
                    id: "details",
                    label: "Details",
                    content: (
                        <Facts
                            facts={[
                                ["Security group ID", item.GroupId],
                                ["Name", item.GroupName],
                                ["Description", item.Description],
                                ["VPC", item.VpcId],
                                ["Owner", item.OwnerId],
                            ]}
                        />
                    ),
                },
                { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
            ]}
        />
    );
}

export const kSecurityGroups: Resource<SecurityGroup> = {
    route: "security-groups",
    singular: "security group",
    plural: "security groups",
    source: {
        idFilter: "group-id",
        searchFilters: ["group-name", "group-id", "description", "tag-value"],
        id: (group) => group.GroupId ?? "",
        async page(client, request) {
            const answer = await client.call("DescribeSecurityGroups", request);
            return { items: answer.SecurityGroups ?? [], nextToken: answer.NextToken };
        },
    },
    tags: (group) => group.Tags,
    sortedBy: "group-name",
    columns: [
        {
            id: "id",
            header: "Security group ID",
            cell: ({ GroupId }) => <ItemLink route="security-groups" id={GroupId ?? ""} />,
            sortBy: ({ GroupId }) => GroupId,
            width: 215,
        },
        {
            id: "group-name",
            header: "Group name",
            cell: ({ GroupName }) => GroupName,
            sortBy: ({ GroupName }) => GroupName,
            width: 220,
        },
        {
            id: "name",
            header: "Name",
            cell: ({ Tags }) => nameOf(Tags) || "–",
            sortBy: ({ Tags }) => nameOf(Tags),
            width: 130,
        },
        { id: "vpc", header: "VPC", cell: ({ VpcId }) => VpcId, sortBy: ({ VpcId }) => VpcId, width: 215 },
        { id: "description", header: "Description", cell: ({ Description }) => Description || "–", width: 300 },
    ],
    properties: [
        { key: "group-name", label: "Group name" },
        { key: "group-id", label: "Security group ID" },
        { key: "description", label: "Description" },
        { key: "vpc-id", label: "VPC" },
        { key: "ip-permission.from-port", label: "Inbound from port" },
        { key: "ip-permission.cidr", label: "Inbound range" },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: groupActions,
    empty: {
        title: "No security groups",
        hint: "They say who may reach your instances.",
        action: { text: "Create security group", run: () => openDialog(<CreateSecurityGroupDialog />) },
    },
    Details: GroupDetails,
};
