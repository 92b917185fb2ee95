// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import type { Action } from "../list/resource";
import { navigate } from "../shell/router";

const notAvailable = ([image]: readonly Image[]): string | undefined =>
    image?.State === "available" ? undefined : `The AMI is ${image?.State ?? "not there"}; it can be launched once it is available.`;

export const imageActions: readonly Action<Image>[] = [
    {
        id: "launch",
        text: "Launch instance from AMI",
        operation: "RunInstances",
        takes: "one",
        refusal: notAvailable,
        run: ([image]) => navigate(`#/launch?image=${image?.ImageId ?? ""}`),
    },
];
