// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";
import type { Action } from "../list/resource";
import { navigate } from "../shell/router";

/** Refuses unless all are in one of the states. */
function only(...states: readonly string[]): Action<Instance>["refusal"] {
    return (instances) => {
        const other = instances.find((instance) => !states.includes(instance.State?.Name ?? ""));
        return other && `${other.InstanceId ?? ""} is ${other.State?.Name ?? "unknown"}; it must be ${states.join(" or ")}.`;
    };
}

const kTemplates = "Image and templates";

export const instanceActions: readonly Action<Instance>[] = [
    {
        id: "create-image",
        text: "Create image",
        group: kTemplates,
        operation: "CreateImage",
        takes: "one",
        refusal: only("running", "stopped"),
        run: ([instance]) => navigate(`#/instances/${instance?.InstanceId ?? ""}/create-image`),
    },
];
