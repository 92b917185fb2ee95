// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";
import type { Call } from "../cli/show";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import { nameOf, type Action } from "../list/resource";
import { openDialog } from "../shell/dialogs";
import { navigate } from "../shell/router";
import { AttachVolumeDialog } from "../volumes/attach";
import { MetadataDialog, ProtectionDialog, SecurityGroupsDialog, TypeDialog } from "./dialogs";
import { kInstances } from "./resource";

/** Refuses unless all are in one of the states. */
function only(...states: readonly string[]): Action<Instance>["refusal"] {
    return (instances) => {
        const other = instances.find((instance) => !states.includes(instance.State?.Name ?? ""));
        return (
            other &&
            `${other.InstanceId ?? ""} is ${other.State?.Name ?? "unknown"}; it must be ${states.join(" or ")}.`
        );
    };
}

const idsOf = (instances: readonly Instance[]): string[] => instances.map(({ InstanceId }) => InstanceId ?? "");

const subjects = (instances: readonly Instance[]): string[] =>
    instances.map((instance) => {
        const name = nameOf(instance.Tags);
        return `${instance.InstanceId ?? ""}${name && ` (${name})`}`;
    });

interface Asked {
    verb: string;
    /** Begins the message after it was done. */
    doing: string;
    text: string;
    call: Call;
}

function ask(instances: readonly Instance[], { verb, doing, text, call }: Asked): void {
    confirm({
        title: `${verb} ${instances.length === 1 ? "instance" : `${instances.length} instances`}`,
        text,
        subjects: subjects(instances),
        submitText: verb,
        calls: [call],
        done: `${doing} ${idsOf(instances).join(", ")}`,
    });
}

const kState = "Instance state";
const kTemplates = "Image and templates";
const kSettings = "Instance settings";
const kStorage = "Storage";

const kAlive = only("pending", "running", "stopping", "stopped");

export const instanceActions: readonly Action<Instance>[] = [
    {
        id: "start",
        text: "Start instance",
        group: kState,
        operation: "StartInstances",
        takes: "some",
        refusal: only("stopped"),
        run: (instances) =>
            ask(instances, {
                verb: "Start",
                doing: "Starting",
                text: "Each gets a new public address.",
                call: { operation: "StartInstances", input: { InstanceIds: idsOf(instances) } },
            }),
    },
    {
        id: "stop",
        text: "Stop instance",
        group: kState,
        operation: "StopInstances",
        takes: "some",
        refusal: only("pending", "running"),
        run: (instances) =>
            ask(instances, {
                verb: "Stop",
                doing: "Stopping",
                text: "The guest is asked to shut down. Volumes and private addresses stay, the public address is lost.",
                call: { operation: "StopInstances", input: { InstanceIds: idsOf(instances) } },
            }),
    },
    {
        id: "force-stop",
        text: "Force stop instance",
        group: kState,
        operation: "StopInstances",
        takes: "some",
        refusal: only("running", "stopping"),
        run: (instances) =>
            ask(instances, {
                verb: "Force stop",
                doing: "Stopping",
                text: "The guest has little time to shut down, none if it is stopping already. What it has not written may be lost.",
                call: { operation: "StopInstances", input: { InstanceIds: idsOf(instances), Force: true } },
            }),
    },
    {
        id: "reboot",
        text: "Reboot instance",
        group: kState,
        operation: "RebootInstances",
        takes: "some",
        refusal: only("running"),
        run: (instances) =>
            ask(instances, {
                verb: "Reboot",
                doing: "Rebooting",
                text: "The guest shuts down and starts again. Addresses and volumes stay.",
                call: { operation: "RebootInstances", input: { InstanceIds: idsOf(instances) } },
            }),
    },
    {
        id: "terminate",
        text: "Terminate instance",
        group: kState,
        operation: "TerminateInstances",
        takes: "some",
        refusal: kAlive,
        run: (instances) =>
            ask(instances, {
                verb: "Terminate",
                doing: "Terminating",
                text: "This cannot be undone. Volumes marked Delete on termination go with it, the root usually among them.",
                call: { operation: "TerminateInstances", input: { InstanceIds: idsOf(instances) } },
            }),
    },
    {
        id: "create-image",
        text: "Create image",
        group: kTemplates,
        operation: "CreateImage",
        takes: "one",
        refusal: only("running", "stopped"),
        run: ([instance]) => navigate(`#/instances/${instance?.InstanceId ?? ""}/create-image`),
    },
    {
        id: "more-like-this",
        text: "Launch another from the same AMI",
        group: kTemplates,
        operation: "RunInstances",
        takes: "one",
        run: ([instance]) => navigate(`#/launch?image=${instance?.ImageId ?? ""}`),
    },
    {
        id: "attach",
        text: "Attach volume",
        group: kStorage,
        operation: "AttachVolume",
        takes: "one",
        refusal: only("running", "stopped"),
        run: ([instance]) => instance && openDialog(<AttachVolumeDialog instance={instance} />),
    },
    {
        id: "type",
        text: "Change instance type",
        group: kSettings,
        operation: "ModifyInstanceAttribute",
        takes: "one",
        refusal: only("stopped"),
        run: ([instance]) => instance && openDialog(<TypeDialog instance={instance} />),
    },
    {
        id: "groups",
        text: "Change security groups",
        group: kSettings,
        operation: "ModifyInstanceAttribute",
        takes: "one",
        refusal: kAlive,
        run: ([instance]) => instance && openDialog(<SecurityGroupsDialog instance={instance} />),
    },
    {
        id: "metadata",
        text: "Modify metadata options",
        group: kSettings,
        operation: "ModifyInstanceMetadataOptions",
        takes: "one",
        refusal: kAlive,
        run: ([instance]) => instance && openDialog(<MetadataDialog instance={instance} />),
    },
    {
        id: "protection",
        text: "Change termination protection",
        group: kSettings,
        operation: "ModifyInstanceAttribute",
        takes: "one",
        refusal: kAlive,
        run: ([instance]) => instance && openDialog(<ProtectionDialog instance={instance} />),
    },
    manageTags(() => kInstances),
    {
        id: "console",
        text: "Get console text",
        operation: "GetConsoleOutput",
        takes: "one",
        run: ([instance]) => navigate(`#/instances/${instance?.InstanceId ?? ""}?tab=console`),
    },
];
