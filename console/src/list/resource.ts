// SPDX-License-Identifier: Apache-2.0
// What a list needs to know of a kind of resource. Every list, context menu and item page is made from one of these.
import type { Filter, Tag } from "@aws-sdk/client-ec2";
import type { ReactNode } from "react";
import type { Client } from "../api/client";
import type { Session } from "../session/session";

export interface PageRequest {
    Filters?: Filter[];
    NextToken?: string;
    MaxResults: number;
}

export interface ResultPage<T> {
    items: T[];
    nextToken?: string;
}

/** How the server is asked for a kind of resource. */
export interface Source<T> {
    /** The EC2 filter that names ids. */
    idFilter: string;
    /** The attributes in which a free word is looked for. */
    searchFilters: readonly string[];
    id(item: T): string;
    state?(item: T): string | undefined;
    /** Whether the state will change by itself: such items are asked for again every few seconds. */
    inTransition?(item: T): boolean;
    page(client: Client, request: PageRequest): Promise<ResultPage<T>>;
}

export interface Column<T> {
    id: string;
    header: string;
    cell(item: T): ReactNode;
    /** Absent: not sortable. */
    sortBy?(item: T): string | number | undefined;
    hidden?: boolean;
    width?: number;
}

export interface Property {
    /** The EC2 filter. */
    key: string;
    label: string;
    /** Values worth offering. */
    values?: readonly string[];
}

export interface Action<T> {
    id: string;
    text: string;
    /** Disabled with a reason while the server does not build it. */
    operation?: string;
    /** How many selected items it takes. */
    takes: "one" | "some" | "none";
    /** Title of the submenu it stands in. */
    group?: string;
    /** Why it cannot be done to these items now; undefined when it can. */
    refusal?(items: readonly T[], session: Session): string | undefined;
    run(items: readonly T[], session: Session): void;
}

export interface Resource<T> {
    /** First part of its route. */
    route: string;
    singular: string;
    plural: string;
    source: Source<T>;
    columns: readonly Column<T>[];
    /** Column id, "-" in front for descending. */
    sortedBy: string;
    properties: readonly Property[];
    actions: readonly Action<T>[];
    empty: { title: string; hint: string; action?: { text: string; run(): void } };
    Details(props: { item: T }): ReactNode;
    tags?(item: T): readonly Tag[] | undefined;
    /** What it is called where that is not its tag Name. */
    name?(item: T): string | undefined;
}

export function nameOf(tags: readonly Tag[] | undefined): string {
    return tags?.find((tag) => tag.Key === "Name")?.Value ?? "";
}

/** What people call the item; empty where it has no name. */
export function titleOf<T>(resource: Resource<T>, item: T): string {
    return resource.name?.(item) || nameOf(resource.tags?.(item));
}
