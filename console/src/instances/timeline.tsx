// SPDX-License-Identifier: Apache-2.0
// What is known of an instance's life: its launch and last transition as the API tells them, volumes as they were
// attached, and the changes this console saw.
import type { Instance } from "@aws-sdk/client-ec2";
import { Table } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { log } from "../events/log";
import { time } from "../list/display";
import { useStore } from "../shell/store";

interface Moment {
    at: Date;
    what: string;
    why?: string;
}

/** EC2 writes the instant into the reason: "User initiated (2025-06-01 12:00:00 GMT)". */
export function transitionTime(reason: string): Date | undefined {
    const [, text] = /\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)/.exec(reason) ?? [];
    return text ? new Date(`${text.replace(" ", "T")}Z`) : undefined;
}

function moments(instance: Instance): Moment[] {
    const found: Moment[] = [];
    const { LaunchTime, StateTransitionReason, StateReason, State } = instance;
    if (LaunchTime) {
        found.push({ at: LaunchTime, what: "Launched, or started last" });
    }
    for (const { DeviceName, Ebs } of instance.BlockDeviceMappings ?? []) {
        if (Ebs?.AttachTime) {
            found.push({
                at: Ebs.AttachTime,
                what: `${Ebs.VolumeId ?? "Volume"} attached as ${DeviceName ?? "a device"}`,
            });
        }
    }
    const transition = StateTransitionReason && transitionTime(StateTransitionReason);
    if (transition) {
        found.push({
            at: transition,
            what: `Last change of state: now ${State?.Name ?? "unknown"}`,
            why: StateReason?.Message ?? StateTransitionReason,
        });
    }
    return found;
}

export function Timeline({ instance }: { instance: Instance }): ReactNode {
    const seen = useStore(log).flatMap((entry): Moment[] =>
        entry.kind === "change" && entry.resourceId === instance.InstanceId
            ? [{ at: entry.time, what: `Seen ${entry.from} → ${entry.to}` }]
            : [],
    );
    const all = [...moments(instance), ...seen].sort((a, b) => b.at.getTime() - a.at.getTime());
    return (
        <Table<Moment>
            variant="embedded"
            items={all}
            ariaLabels={{ tableLabel: "Timeline" }}
            columnDefinitions={[
                { id: "at", header: "Time", cell: ({ at }) => time(at), width: 200 },
                { id: "what", header: "What happened", cell: ({ what }) => what, isRowHeader: true },
                { id: "why", header: "Reason", cell: ({ why }) => why ?? "–" },
            ]}
            empty="Nothing is known yet."
        />
    );
}
