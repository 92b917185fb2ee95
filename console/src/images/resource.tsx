// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import { Badge } from "@cloudscape-design/components";
import type { Client } from "../api/client";
import type { Input } from "../api/commands";
import { State, time } from "../list/display";
import { nameOf, type Resource, type Source } from "../list/resource";
import { ItemLink } from "../list/resource-list";
import { navigate } from "../shell/router";
import { imageActions } from "./actions";
import { ImageDetails } from "./details";

export type View = "self" | "private" | "public" | "disabled";

export const kViews: readonly { value: View; label: string }[] = [
    { value: "self", label: "Owned by me" },
    { value: "private", label: "Private images" },
    { value: "public", label: "Public images" },
    { value: "disabled", label: "Disabled images" },
];

// Private as EC2's console means it: not public, yet mine to launch, because somebody shares it with me.
const kRequests: Readonly<Record<View, Input<"DescribeImages">>> = {
    self: { Owners: ["self"] },
    private: { ExecutableUsers: ["self"], Filters: [{ Name: "is-public", Values: ["false"] }] },
    public: { ExecutableUsers: ["all"] },
    disabled: { Owners: ["self"], IncludeDisabled: true, Filters: [{ Name: "state", Values: ["disabled"] }] },
};

export function imageSource(fixed: Input<"DescribeImages">): Source<Image> {
    return {
        idFilter: "image-id",
        searchFilters: ["name", "description", "image-id", "tag-value"],
        id: (image) => image.ImageId ?? "",
        state: (image) => image.State,
        inTransition: (image) => image.State === "pending",
        async page(client: Client, request) {
            const filters = [...(fixed.Filters ?? []), ...(request.Filters ?? [])];
            const answer = await client.call("DescribeImages", {
                ...fixed,
                ...request,
                Filters: filters.length > 0 ? filters : undefined,
            });
            return { items: answer.Images ?? [], nextToken: answer.NextToken };
        },
    };
}

export function imageResource(view: View): Resource<Image> {
    return {
        ...kImages,
        source: imageSource(kRequests[view]),
        empty:
            view === "self"
                ? {
                      title: "No AMIs of your own",
                      hint: "Make one of an instance with Create image, or bring in a disk with kiln import. Public images are there to launch at once.",
                      action: { text: "See public images", run: () => navigate("#/images?view=public") },
                  }
                : { title: `No ${kEmpty[view]}`, hint: kHints[view] },
    };
}

const kEmpty = { private: "images shared with you", public: "public images", disabled: "disabled images" } as const;

const kHints = {
    private: "Images that another account shares with this one appear here.",
    public: "Images that any account made public appear here. kiln images pull tiny, by an administrator, provides one to start with.",
    disabled: "Images you disable leave the other lists and appear here.",
} as const;

export const kImages: Resource<Image> = {
    route: "images",
    singular: "AMI",
    plural: "AMIs",
    source: imageSource({ IncludeDisabled: true, IncludeDeprecated: true }),
    tags: (image) => image.Tags,
    name: (image) => image.Name,
    sortedBy: "-created",
    columns: [
        {
            id: "id",
            header: "AMI ID",
            cell: (image) => <ItemLink route="images" id={image.ImageId ?? ""} />,
            sortBy: (image) => image.ImageId,
            width: 210,
        },
        {
            id: "ami-name",
            header: "AMI name",
            cell: (image) => image.Name ?? "–",
            sortBy: (image) => image.Name,
            width: 175,
        },
        {
            id: "name",
            header: "Name",
            cell: (image) => nameOf(image.Tags) || "–",
            sortBy: (image) => nameOf(image.Tags),
            width: 100,
        },
        {
            id: "state",
            header: "State",
            cell: (image) => <State state={image.State} />,
            sortBy: (image) => image.State,
            width: 125,
        },
        {
            id: "visibility",
            header: "Visibility",
            cell: (image) => (image.Public ? <Badge color="blue">Public</Badge> : "Private"),
            sortBy: (image) => String(image.Public),
            width: 125,
        },
        {
            id: "owner",
            header: "Owner",
            cell: (image) => image.ImageOwnerAlias ?? image.OwnerId ?? "–",
            sortBy: (image) => image.OwnerId,
            width: 140,
        },
        {
            id: "created",
            header: "Created",
            cell: (image) => time(image.CreationDate),
            sortBy: (image) => image.CreationDate,
            width: 180,
        },
        {
            id: "architecture",
            header: "Architecture",
            cell: (image) => image.Architecture ?? "–",
            sortBy: (image) => image.Architecture,
            width: 140,
        },
        { id: "description", header: "Description", cell: (image) => image.Description || "–", hidden: true },
        { id: "root-type", header: "Root device type", cell: (image) => image.RootDeviceType ?? "–", hidden: true },
        {
            id: "virtualization",
            header: "Virtualization",
            cell: (image) => image.VirtualizationType ?? "–",
            hidden: true,
        },
        { id: "boot-mode", header: "Boot mode", cell: (image) => image.BootMode ?? "–", hidden: true },
        { id: "platform", header: "Platform", cell: (image) => image.PlatformDetails ?? "–", hidden: true },
        { id: "deprecation", header: "Deprecation time", cell: (image) => time(image.DeprecationTime), hidden: true },
    ],
    properties: [
        { key: "name", label: "AMI name" },
        { key: "image-id", label: "AMI ID" },
        { key: "state", label: "State", values: ["available", "pending", "failed", "disabled"] },
        { key: "description", label: "Description" },
        { key: "architecture", label: "Architecture", values: ["x86_64", "i386", "arm64"] },
        { key: "owner-id", label: "Owner" },
        { key: "is-public", label: "Public", values: ["true", "false"] },
        { key: "creation-date", label: "Created" },
        { key: "boot-mode", label: "Boot mode", values: ["legacy-bios", "uefi", "uefi-preferred"] },
        { key: "root-device-type", label: "Root device type", values: ["ebs", "instance-store"] },
        { key: "root-device-name", label: "Root device name" },
        { key: "virtualization-type", label: "Virtualization", values: ["hvm", "paravirtual"] },
        { key: "platform-details", label: "Platform" },
        { key: "block-device-mapping.snapshot-id", label: "Snapshot ID" },
        { key: "tag:Name", label: "Tag Name" },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: imageActions,
    empty: { title: "No AMIs", hint: "" },
    Details: ImageDetails,
};
