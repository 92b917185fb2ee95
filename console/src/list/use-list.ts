// SPDX-License-Identifier: Apache-2.0
// The items of a list, loaded in chunks as far as the user has paged, never all. Refreshing loads the same range again.
// While items are in transition and the tab is visible, those alone are asked for again every few seconds.
import { useCallback, useEffect, useRef, useState } from "react";
import type { Client } from "../api/client";
import { asApiError, type ApiError } from "../api/errors";
import { observeState } from "../events/log";
import { changes } from "./changes";
import { matches, type Plan } from "./query";
import type { Source } from "./resource";

// One request's worth: enough that most accounts fit whole and sort exactly, and quick to read in.
const kChunk = 1000;
const kPollMs = 2500;
// EC2's limit of values per filter.
const kMostPolled = 200;

interface Stream {
    filters: Plan["streams"][number];
    nextToken?: string;
    ended: boolean;
}

interface Loaded<T> {
    items: readonly T[];
    streams: readonly Stream[];
    chunks: number;
}

export interface List<T> {
    items: readonly T[];
    /** Whether the server has more than what is loaded. */
    more: boolean;
    /** Nothing is there yet. */
    loading: boolean;
    /** Something is being loaded. */
    busy: boolean;
    error?: ApiError;
    refresh(): void;
    loadMore(): Promise<void>;
}

function begin(plan: Plan): Loaded<never> {
    return { items: [], streams: plan.streams.map((filters) => ({ filters, ended: false })), chunks: 0 };
}

async function loadChunk<T>(client: Client, source: Source<T>, plan: Plan, before: Loaded<T>): Promise<Loaded<T>> {
    const known = new Set(before.items.map(source.id));
    const items = [...before.items];
    const streams = await Promise.all(
        before.streams.map(async (stream) => {
            if (stream.ended) {
                return stream;
            }
            const page = await source.page(client, {
                MaxResults: kChunk,
                Filters: stream.filters.length > 0 ? [...stream.filters] : undefined,
                NextToken: stream.nextToken,
            });
            for (const item of page.items) {
                if (!known.has(source.id(item)) && matches(item, plan.words)) {
                    known.add(source.id(item));
                    items.push(item);
                }
            }
            return { ...stream, nextToken: page.nextToken, ended: !page.nextToken };
        }),
    );
    return { items, streams, chunks: before.chunks + 1 };
}

async function loadRange<T>(client: Client, source: Source<T>, plan: Plan, chunks: number): Promise<Loaded<T>> {
    let loaded: Loaded<T> = begin(plan);
    do {
        loaded = await loadChunk(client, source, plan, loaded);
    } while (loaded.chunks < chunks && loaded.streams.some((stream) => !stream.ended));
    return loaded;
}

/** The items after those in transition were asked for again; what no longer exists is gone. */
async function poll<T>(client: Client, source: Source<T>, items: readonly T[]): Promise<readonly T[]> {
    const ids = items
        .filter((item) => source.inTransition?.(item))
        .map(source.id)
        .slice(0, kMostPolled);
    const page = await source.page(client, { MaxResults: kChunk, Filters: [{ Name: source.idFilter, Values: ids }] });
    const fresh = new Map(page.items.map((item) => [source.id(item), item]));
    const asked = new Set(ids);
    return items.flatMap((item) => fresh.get(source.id(item)) ?? (asked.has(source.id(item)) ? [] : [item]));
}

function observe<T>(client: Client, source: Source<T>, items: readonly T[]): void {
    for (const item of items) {
        const state = source.state?.(item);
        if (state) {
            observeState(source.id(item), state, client.region);
        }
    }
}

/** `plan` undefined: nothing is asked for yet. It must be the same object as long as it means the same. */
export function useList<T>(client: Client, source: Source<T>, plan: Plan | undefined): List<T> {
    const [loaded, setLoaded] = useState<Loaded<T>>();
    const [busy, setBusy] = useState(true);
    const [error, setError] = useState<ApiError>();
    // Answers to an older question than the last are dropped.
    const question = useRef(0);

    const ask = useCallback(
        async (load: () => Promise<Loaded<T>>): Promise<void> => {
            const mine = ++question.current;
            setBusy(true);
            try {
                const answer = await load();
                if (mine === question.current) {
                    observe(client, source, answer.items);
                    setLoaded(answer);
                    setError(undefined);
                    setBusy(false);
                }
            } catch (failure) {
                if (mine === question.current) {
                    setError(asApiError(failure));
                    setBusy(false);
                }
            }
        },
        [client, source],
    );

    useEffect(() => {
        setLoaded(undefined);
        if (plan) {
            void ask(() => loadRange(client, source, plan, 1));
        }
        return () => {
            question.current++;
        };
    }, [ask, client, source, plan]);

    const chunks = loaded?.chunks ?? 1;
    const refresh = useCallback(() => {
        if (plan) {
            void ask(() => loadRange(client, source, plan, chunks));
        }
    }, [ask, client, source, plan, chunks]);

    useEffect(() => changes.subscribe(refresh), [refresh]);

    const transient = loaded?.items.some((item) => source.inTransition?.(item)) ?? false;
    useEffect(() => {
        if (!transient || !loaded || busy) {
            return undefined;
        }
        const timer = window.setInterval(() => {
            if (document.visibilityState === "visible") {
                void ask(async () => ({ ...loaded, items: await poll(client, source, loaded.items) }));
            }
        }, kPollMs);
        return () => window.clearInterval(timer);
    }, [ask, busy, client, loaded, source, transient]);

    const loadMore = useCallback(async () => {
        if (plan && loaded) {
            await ask(() => loadChunk(client, source, plan, loaded));
        }
    }, [ask, client, source, plan, loaded]);

    return {
        items: loaded?.items ?? [],
        more: loaded?.streams.some((stream) => !stream.ended) ?? false,
        loading: !loaded && !error,
        busy,
        error,
        refresh,
        loadMore,
    };
}
