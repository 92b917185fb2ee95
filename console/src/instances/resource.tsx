// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";
import { Reference, State, time } from "../list/display";
import { nameOf, type Resource, type Source } from "../list/resource";
import { ItemLink } from "../list/resource-list";
import { navigate } from "../shell/router";
import { instanceActions } from "./actions";
import { InstanceDetails } from "./details";
import { failureOf } from "./failure";

const kInTransition = new Set(["pending", "stopping", "shutting-down"]);

export const kInstanceSource: Source<Instance> = {
    idFilter: "instance-id",
    searchFilters: ["instance-id", "tag-value", "image-id", "private-ip-address", "key-name"],
    id: (instance) => instance.InstanceId ?? "",
    state: (instance) => instance.State?.Name,
    inTransition: (instance) => kInTransition.has(instance.State?.Name ?? ""),
    async page(client, request) {
        const answer = await client.call("DescribeInstances", request);
        return {
            items: (answer.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []),
            nextToken: answer.NextToken,
        };
    },
};

export const kInstances: Resource<Instance> = {
    route: "instances",
    singular: "instance",
    plural: "instances",
    source: kInstanceSource,
    tags: (instance) => instance.Tags,
    sortedBy: "-launched",
    columns: [
        {
            id: "id",
            header: "Instance ID",
            cell: (instance) => <ItemLink route="instances" id={instance.InstanceId ?? ""} />,
            sortBy: (instance) => instance.InstanceId,
            width: 195,
        },
        {
            id: "name",
            header: "Name",
            cell: (instance) => nameOf(instance.Tags) || "–",
            sortBy: (instance) => nameOf(instance.Tags),
            width: 130,
        },
        {
            id: "state",
            header: "State",
            cell: (instance) => <State state={instance.State?.Name} failed={failureOf(instance) !== undefined} />,
            sortBy: (instance) => instance.State?.Name,
            width: 150,
        },
        {
            id: "type",
            header: "Type",
            cell: (instance) => instance.InstanceType ?? "–",
            sortBy: (instance) => instance.InstanceType,
            width: 110,
        },
        {
            id: "image",
            header: "AMI ID",
            cell: (instance) => <Reference route="images" id={instance.ImageId} />,
            sortBy: (instance) => instance.ImageId,
            width: 210,
        },
        {
            id: "public-ip",
            header: "Public IPv4",
            cell: (instance) => instance.PublicIpAddress ?? "–",
            sortBy: (instance) => instance.PublicIpAddress,
            width: 135,
        },
        {
            id: "launched",
            header: "Launched",
            cell: (instance) => time(instance.LaunchTime),
            sortBy: (instance) => instance.LaunchTime?.getTime(),
            width: 170,
        },
        {
            id: "private-ip",
            header: "Private IPv4",
            cell: (instance) => instance.PrivateIpAddress ?? "–",
            hidden: true,
        },
        { id: "key", header: "Key pair", cell: (instance) => instance.KeyName ?? "–", hidden: true },
        {
            id: "zone",
            header: "Availability Zone",
            cell: (instance) => instance.Placement?.AvailabilityZone ?? "–",
            hidden: true,
        },
        {
            id: "groups",
            header: "Security groups",
            cell: (instance) => (instance.SecurityGroups ?? []).map(({ GroupName }) => GroupName).join(", ") || "–",
            hidden: true,
        },
        { id: "architecture", header: "Architecture", cell: (instance) => instance.Architecture ?? "–", hidden: true },
    ],
    properties: [
        { key: "instance-id", label: "Instance ID" },
        { key: "tag:Name", label: "Tag Name" },
        {
            key: "instance-state-name",
            label: "Instance state",
            values: ["pending", "running", "stopping", "stopped", "shutting-down", "terminated"],
        },
        { key: "instance-type", label: "Instance type" },
        { key: "image-id", label: "AMI ID" },
        { key: "key-name", label: "Key pair" },
        { key: "availability-zone", label: "Availability Zone" },
        { key: "private-ip-address", label: "Private IPv4" },
        { key: "ip-address", label: "Public IPv4" },
        { key: "subnet-id", label: "Subnet ID" },
        { key: "instance.group-name", label: "Security group name" },
        { key: "instance.group-id", label: "Security group ID" },
        { key: "block-device-mapping.volume-id", label: "Volume ID" },
        { key: "architecture", label: "Architecture", values: ["x86_64", "i386", "arm64"] },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: instanceActions,
    empty: {
        title: "No instances",
        hint: "Launch one from an image; it starts within seconds.",
        action: { text: "Launch instance", run: () => navigate("#/launch") },
    },
    Details: InstanceDetails,
};
