// SPDX-License-Identifier: Apache-2.0
// One item by its id, kept fresh as lists are.
import { useMemo } from "react";
import { useSession } from "../session/session";
import type { Source } from "./resource";
import { useList, type List } from "./use-list";

export function useItem<T>(source: Source<T>, id: string): { item?: T; list: List<T> } {
    const { client } = useSession();
    const plan = useMemo(() => ({ streams: [[{ Name: source.idFilter, Values: [id] }]], words: [] }), [source, id]);
    const list = useList(client, source, plan);
    return { item: list.items[0], list };
}
