// SPDX-License-Identifier: Apache-2.0
// What the launch wizard has been told so far, and the calls it comes to. Pure.
import type { Image, InstanceTypeInfo, Tag, _InstanceType } from "@aws-sdk/client-ec2";
import type { Input } from "../api/commands";
import { overrides, type StorageRow } from "../forms/storage";
import { tagSpecifications } from "../forms/tag-editor";
import { kAnywhere, kHostRange } from "../security-groups/rule";

export type Access = "none" | "host" | "anywhere" | "custom";

export interface Draft {
    name: string;
    tags: readonly Tag[];
    image?: Image;
    instanceType: string;
    keyName: string;
    subnetId: string;
    /** A group of its own, or those chosen. */
    newGroup: boolean;
    groupName: string;
    sshFrom: Access;
    sshRange: string;
    groupIds: readonly string[];
    /** Volumes as wanted, and as the image has them. */
    rows: readonly StorageRow[];
    imageRows: readonly StorageRow[];
    count: string;
    userData: string;
    shutdownBehavior: "stop" | "terminate";
    terminationProtection: boolean;
    metadataEnabled: boolean;
    tokensRequired: boolean;
    hopLimit: string;
    metadataTags: boolean;
}

export const kRanges: Readonly<Record<Exclude<Access, "none" | "custom">, string>> = {
    host: kHostRange,
    anywhere: kAnywhere,
};

export function emptyDraft(groupNumber: number): Draft {
    return {
        name: "",
        tags: [],
        instanceType: "t2.micro",
        keyName: "",
        subnetId: "",
        newGroup: true,
        groupName: `launch-wizard-${groupNumber}`,
        sshFrom: "host",
        sshRange: "",
        groupIds: [],
        rows: [],
        imageRows: [],
        count: "1",
        userData: "",
        shutdownBehavior: "stop",
        terminationProtection: false,
        metadataEnabled: true,
        tokensRequired: true,
        hopLimit: "2",
        metadataTags: false,
    };
}

/** Why instances of the type cannot run the image; undefined when they can. */
export function misfit(type: InstanceTypeInfo, image: Image | undefined): string | undefined {
    if (!image) {
        return undefined;
    }
    if (image.Architecture && !type.ProcessorInfo?.SupportedArchitectures?.includes(image.Architecture as never)) {
        return `Not for ${image.Architecture}`;
    }
    if (image.VirtualizationType && !type.SupportedVirtualizationTypes?.includes(image.VirtualizationType)) {
        return `Not for ${image.VirtualizationType}`;
    }
    if (type.NetworkInfo?.EnaSupport === "required" && !image.EnaSupport) {
        return "Needs an AMI with ENA support";
    }
    const uefiOnly = image.BootMode === "uefi";
    if (uefiOnly && !type.SupportedBootModes?.includes("uefi")) {
        return "Cannot boot by UEFI";
    }
    return undefined;
}

function base64(text: string): string {
    return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

export function groupInput(draft: Draft): Input<"CreateSecurityGroup"> {
    return { GroupName: draft.groupName, Description: "Made by the launch wizard" };
}

/** The rule that lets ssh in; undefined when nobody is let in. */
export function ruleInput(draft: Draft): Input<"AuthorizeSecurityGroupIngress"> | undefined {
    if (draft.sshFrom === "none") {
        return undefined;
    }
    const CidrIp = draft.sshFrom === "custom" ? draft.sshRange : kRanges[draft.sshFrom];
    return {
        GroupName: draft.groupName,
        IpPermissions: [{ IpProtocol: "tcp", FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp, Description: "ssh" }] }],
    };
}

/** `groupId`: of the new group, once there is one. */
export function runInput(draft: Draft, groupId?: string): Input<"RunInstances"> {
    const tags = draft.name ? [{ Key: "Name", Value: draft.name }, ...draft.tags] : draft.tags;
    const byName = draft.newGroup && !draft.subnetId;
    const groupIds = draft.newGroup ? [groupId ?? "SECURITY_GROUP_ID"] : draft.groupIds;
    const count = Number(draft.count);
    return {
        ImageId: draft.image?.ImageId,
        InstanceType: draft.instanceType as _InstanceType,
        MinCount: count,
        MaxCount: count,
        KeyName: draft.keyName || undefined,
        SubnetId: draft.subnetId || undefined,
        SecurityGroups: byName ? [draft.groupName] : undefined,
        SecurityGroupIds: !byName && groupIds.length > 0 ? [...groupIds] : undefined,
        BlockDeviceMappings: overrides(draft.rows, draft.imageRows),
        UserData: draft.userData ? base64(draft.userData) : undefined,
        InstanceInitiatedShutdownBehavior: draft.shutdownBehavior === "terminate" ? "terminate" : undefined,
        DisableApiTermination: draft.terminationProtection || undefined,
        MetadataOptions: draft.metadataEnabled
            ? {
                  HttpTokens: draft.tokensRequired ? "required" : "optional",
                  HttpPutResponseHopLimit: Number(draft.hopLimit),
                  ...(draft.metadataTags && { InstanceMetadataTags: "enabled" }),
              }
            : { HttpEndpoint: "disabled" },
        TagSpecifications: tagSpecifications(tags, "instance", "volume"),
    };
}
