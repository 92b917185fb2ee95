// SPDX-License-Identifier: Apache-2.0
import { useCallback, useEffect, useState } from "react";
import { useSession } from "./session";
import type { Client } from "../api/client";
import { asApiError, type ApiError } from "../api/errors";

export interface Answer<T> {
    value?: T;
    error?: ApiError;
    loading: boolean;
    reload(): void;
}

/** What `ask` answers, asked when it changes and on reload; `ask` must be the same function as long as it asks the same. */
export function useAnswer<T>(ask: (client: Client) => Promise<T>): Answer<T> {
    const { client } = useSession();
    const [state, setState] = useState<{ value?: T; error?: ApiError; loading: boolean }>({ loading: true });
    const [round, setRound] = useState(0);

    useEffect(() => {
        let current = true;
        setState((before) => ({ ...before, loading: true }));
        ask(client).then(
            (value) => current && setState({ value, loading: false }),
            (failure: unknown) => current && setState({ error: asApiError(failure), loading: false }),
        );
        return () => {
            current = false;
        };
    }, [ask, client, round]);

    const reload = useCallback(() => setRound((before) => before + 1), []);
    return { ...state, reload };
}
