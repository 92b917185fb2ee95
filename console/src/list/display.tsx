// SPDX-License-Identifier: Apache-2.0
// How values look, the same everywhere: states, times, sizes, ids, tags.
import {
    Box,
    KeyValuePairs,
    Link,
    StatusIndicator,
    Table,
    type StatusIndicatorProps,
} from "@cloudscape-design/components";
import type { Tag } from "@aws-sdk/client-ec2";
import type { ReactNode } from "react";
import { follow } from "../shell/router";

const kStates: Readonly<Record<string, StatusIndicatorProps.Type>> = {
    available: "success",
    completed: "success",
    running: "success",
    "in-use": "success",
    attached: "success",
    ok: "success",
    enabled: "success",
    applied: "success",
    pending: "in-progress",
    creating: "in-progress",
    stopping: "in-progress",
    "shutting-down": "in-progress",
    deleting: "in-progress",
    attaching: "in-progress",
    detaching: "in-progress",
    busy: "warning",
    impaired: "warning",
    stopped: "stopped",
    terminated: "stopped",
    disabled: "stopped",
    deregistered: "stopped",
    detached: "stopped",
    failed: "error",
    error: "error",
};

/** "shutting-down" as "Shutting-down", as EC2's console writes states. */
export function State({ state, failed = false }: { state: string | undefined; failed?: boolean }): ReactNode {
    if (!state) {
        return "–";
    }
    return (
        <StatusIndicator type={failed ? "error" : (kStates[state] ?? "info")}>
            {state.charAt(0).toUpperCase() + state.slice(1)}
        </StatusIndicator>
    );
}

export function time(value: Date | string | undefined): string {
    if (!value) {
        return "–";
    }
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? String(value) : date.toLocaleString("sv-SE");
}

export function gib(size: number | undefined): string {
    return size === undefined ? "–" : `${size} GiB`;
}

export function yesNo(value: boolean | undefined): string {
    return value ? "Yes" : "No";
}

/** Links to another item's page; a dash where there is none. */
export function Reference({ route, id }: { route: string; id: string | undefined }): ReactNode {
    return id ? (
        <Link href={`#/${route}/${encodeURIComponent(id)}`} onFollow={follow}>
            {id}
        </Link>
    ) : (
        "–"
    );
}

export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }): ReactNode {
    return (
        <KeyValuePairs
            columns={4}
            items={facts.map(([label, value]) => ({ label, value: value === undefined || value === "" ? "–" : value }))}
        />
    );
}

export function TagTable({ tags }: { tags: readonly Tag[] | undefined }): ReactNode {
    return (
        <Table<Tag>
            variant="embedded"
            items={[...(tags ?? [])]}
            ariaLabels={{ tableLabel: "Tags" }}
            columnDefinitions={[
                { id: "key", header: "Key", cell: ({ Key }) => Key, isRowHeader: true },
                { id: "value", header: "Value", cell: ({ Value }) => Value || "–" },
            ]}
            empty={<Box color="text-body-secondary">No tags. Add some with Actions &gt; Manage tags.</Box>}
        />
    );
}
