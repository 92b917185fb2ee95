// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import type { Action } from "../list/resource";
import type { Session } from "../session/session";
import { openDialog } from "../shell/dialogs";
import { navigate } from "../shell/router";
import { CopyDialog } from "./copy";
import { DeregisterDialog } from "./deregister";
import { DeprecationDialog, DescriptionDialog } from "./dialogs";
import { PermissionsDialog } from "./permissions";
import { kImages } from "./resource";

type Refusal = NonNullable<Action<Image>["refusal"]>;

const available: Refusal = ([image]) =>
    image?.State === "available" ? undefined : `The AMI is ${image?.State ?? "gone"}; it must be available.`;

const mine: Refusal = (images, session: Session) =>
    images.every(({ OwnerId }) => OwnerId === session.account.accountId)
        ? undefined
        : "Only the account that owns the AMI can do this.";

const mineAndAvailable: Refusal = (images, session) => mine(images, session) ?? available(images, session);

const idOf = ([image]: readonly Image[]): string => image?.ImageId ?? "";

function protectedNow([image]: readonly Image[]): boolean {
    return image?.DeregistrationProtection?.startsWith("enabled") ?? false;
}

const kState = "AMI state";

export const imageActions: readonly Action<Image>[] = [
    {
        id: "launch",
        text: "Launch instance from AMI",
        operation: "RunInstances",
        takes: "one",
        refusal: available,
        run: (images) => navigate(`#/launch?image=${idOf(images)}`),
    },
    {
        id: "copy",
        text: "Copy AMI",
        operation: "CopyImage",
        takes: "one",
        refusal: available,
        run: ([image]) => image && openDialog(<CopyDialog image={image} />),
    },
    {
        id: "permissions",
        text: "Edit AMI permissions",
        operation: "ModifyImageAttribute",
        takes: "one",
        refusal: mineAndAvailable,
        run: ([image]) => image && openDialog(<PermissionsDialog image={image} />),
    },
    {
        id: "description",
        text: "Edit description",
        operation: "ModifyImageAttribute",
        takes: "one",
        refusal: mineAndAvailable,
        run: ([image]) => image && openDialog(<DescriptionDialog image={image} />),
    },
    manageTags(() => kImages),
    {
        id: "deprecation",
        text: "Manage deprecation",
        group: kState,
        operation: "EnableImageDeprecation",
        takes: "one",
        refusal: mine,
        run: ([image]) => image && openDialog(<DeprecationDialog image={image} />),
    },
    {
        id: "disable",
        text: "Disable AMI",
        group: kState,
        operation: "DisableImage",
        takes: "one",
        refusal: mineAndAvailable,
        run: (images) =>
            confirm({
                title: "Disable AMI",
                text: "It cannot be launched and is shared with nobody until it is enabled again. Its permissions are forgotten.",
                subjects: [idOf(images)],
                submitText: "Disable",
                calls: [{ operation: "DisableImage", input: { ImageId: idOf(images) } }],
                done: `${idOf(images)} disabled`,
            }),
    },
    {
        id: "enable",
        text: "Enable AMI",
        group: kState,
        operation: "EnableImage",
        takes: "one",
        refusal: (images, session) =>
            mine(images, session) ?? (images[0]?.State === "disabled" ? undefined : "The AMI is not disabled."),
        run: (images) =>
            confirm({
                title: "Enable AMI",
                text: "It can be launched again. It is private until you share it.",
                subjects: [idOf(images)],
                submitText: "Enable",
                calls: [{ operation: "EnableImage", input: { ImageId: idOf(images) } }],
                done: `${idOf(images)} enabled`,
            }),
    },
    {
        id: "protect",
        text: "Protect from deregistration",
        group: kState,
        operation: "EnableImageDeregistrationProtection",
        takes: "one",
        refusal: (images, session) =>
            mine(images, session) ?? (protectedNow(images) ? "It is protected already." : undefined),
        run: (images) =>
            confirm({
                title: "Protect from deregistration",
                text: "The AMI cannot be deregistered until the protection is ended.",
                subjects: [idOf(images)],
                submitText: "Protect",
                calls: [{ operation: "EnableImageDeregistrationProtection", input: { ImageId: idOf(images) } }],
                done: `${idOf(images)} is protected from deregistration`,
            }),
    },
    {
        id: "unprotect",
        text: "End deregistration protection",
        group: kState,
        operation: "DisableImageDeregistrationProtection",
        takes: "one",
        refusal: (images, session) =>
            mine(images, session) ?? (protectedNow(images) ? undefined : "It is not protected."),
        run: (images) =>
            confirm({
                title: "End deregistration protection",
                text: "The AMI can be deregistered again.",
                subjects: [idOf(images)],
                submitText: "End protection",
                calls: [{ operation: "DisableImageDeregistrationProtection", input: { ImageId: idOf(images) } }],
                done: `${idOf(images)} is not protected any more`,
            }),
    },
    {
        id: "deregister",
        text: "Deregister AMI",
        operation: "DeregisterImage",
        takes: "some",
        refusal: mine,
        run: (images) => openDialog(<DeregisterDialog images={images} />),
    },
];
