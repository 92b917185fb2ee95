// SPDX-License-Identifier: Apache-2.0
// What a user chose for a table, kept per kind of resource in this browser.
import type { CollectionPreferencesProps } from "@cloudscape-design/components";
import { useState } from "react";
import type { Resource } from "./resource";

export interface TablePreferences {
    pageSize: number;
    wrapLines: boolean;
    contentDisplay: readonly CollectionPreferencesProps.ContentDisplayItem[];
}

export const kPageSizes = [20, 50, 100];

function defaults<T>(resource: Resource<T>): TablePreferences {
    const contentDisplay = resource.columns.map(({ id, hidden }) => ({ id, visible: !hidden }));
    return { pageSize: 50, wrapLines: false, contentDisplay };
}

function read<T>(resource: Resource<T>): TablePreferences {
    const fallback = defaults(resource);
    try {
        const stored = JSON.parse(
            localStorage.getItem(`kiln.table.${resource.route}`) ?? "{}",
        ) as Partial<TablePreferences>;
        // A column that came with a newer console is shown as it is by default.
        const known = (stored.contentDisplay ?? []).filter(({ id }) =>
            resource.columns.some((column) => column.id === id),
        );
        const added = fallback.contentDisplay.filter(({ id }) => !known.some((column) => column.id === id));
        return { ...fallback, ...stored, contentDisplay: [...known, ...added] };
    } catch {
        return fallback;
    }
}

export function usePreferences<T>(resource: Resource<T>): [TablePreferences, (next: TablePreferences) => void] {
    const [preferences, setPreferences] = useState(() => read(resource));
    return [
        preferences,
        (next) => {
            localStorage.setItem(`kiln.table.${resource.route}`, JSON.stringify(next));
            setPreferences(next);
        },
    ];
}
