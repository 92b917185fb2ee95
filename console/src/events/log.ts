// SPDX-License-Identifier: Apache-2.0
// What happened in this session, newest first: what the console did, and changes of state it saw. Kept in this tab's
// memory only.
import type { ApiError } from "../api/errors";
import { Store } from "../shell/store";

interface Entry {
    id: number;
    time: Date;
    region: string;
}

export interface ActionEntry extends Entry {
    kind: "action";
    operation: string;
    line: string;
    requestId?: string;
    error?: ApiError;
}

export interface ChangeEntry extends Entry {
    kind: "change";
    resourceId: string;
    from: string;
    to: string;
}

export type LogEntry = ActionEntry | ChangeEntry;

// More than anyone reads back, little enough to hold.
const kMostEntries = 1000;

export const log = new Store<readonly LogEntry[]>([]);
let nextId = 1;

type Unstamped<E extends LogEntry> = Omit<E, "id" | "time" | "kind">;

function add(entry: Omit<ActionEntry, "id" | "time"> | Omit<ChangeEntry, "id" | "time">): void {
    log.set([{ ...entry, id: nextId++, time: new Date() }, ...log.get()].slice(0, kMostEntries));
}

export function recordAction(entry: Unstamped<ActionEntry>): void {
    add({ ...entry, kind: "action" });
}

export function recordChange(entry: Unstamped<ChangeEntry>): void {
    add({ ...entry, kind: "change" });
}

export function clearLog(): void {
    log.set([]);
}

const lastStates = new Map<string, string>();

/** Told of every state the lists see; a state other than the last one seen is a change. */
export function observeState(resourceId: string, state: string, region: string): void {
    const before = lastStates.get(resourceId);
    lastStates.set(resourceId, state);
    if (before !== undefined && before !== state) {
        recordChange({ resourceId, from: before, to: state, region });
    }
}
