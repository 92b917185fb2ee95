// SPDX-License-Identifier: Apache-2.0
// The signed-in session: a client for the account and region in use, the operations this server builds, and `perform`,
// through which everything goes that changes something, so that the event list misses nothing.
import { createContext, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { Client } from "../api/client";
import type { Input, Operation, Output } from "../api/commands";
import { asApiError } from "../api/errors";
import { commandLine } from "../cli/command-line";
import { recordAction } from "../events/log";
import { noteChange } from "../list/changes";
import type { Account } from "./accounts";

export interface Session {
    account: Account;
    client: Client;
    /** Whether the server builds the operation. Undefined until the server has said. */
    isBuilt(operation: string): boolean | undefined;
    /** In the session's region unless another is named. */
    perform<K extends Operation>(operation: K, input: Input<K>, region?: string): Promise<Output<K>>;
}

const SessionContext = createContext<Session | undefined>(undefined);

export function useSession(): Session {
    const session = useContext(SessionContext);
    if (!session) {
        throw new Error("useSession outside of SessionProvider");
    }
    return session;
}

export function SessionProvider({ account, children }: { account: Account; children: ReactNode }): ReactNode {
    const client = useMemo(() => new Client(account, account.region), [account]);
    const [built, setBuilt] = useState<ReadonlySet<string>>();

    useEffect(() => {
        let current = true;
        client.builtOperations().then(
            (names) => current && setBuilt(names),
            // A server without that list is taken at its word call by call.
            () => current && setBuilt(undefined),
        );
        return () => {
            current = false;
        };
    }, [client]);

    const perform = useCallback(
        async <K extends Operation>(operation: K, input: Input<K>, region = client.region): Promise<Output<K>> => {
            const action = { operation, region, line: commandLine(operation, input, region) };
            try {
                const output = await (region === client.region ? client : new Client(account, region)).call(
                    operation,
                    input,
                );
                recordAction({ ...action, requestId: output.$metadata.requestId });
                noteChange();
                return output;
            } catch (failure) {
                const error = asApiError(failure);
                // A dry run that finds nothing wrong "fails" with this code and changes nothing.
                if (error.code !== "DryRunOperation") {
                    recordAction({ ...action, requestId: error.requestId, error });
                }
                throw error;
            }
        },
        [account, client],
    );

    const session = useMemo<Session>(
        () => ({ account, client, perform, isBuilt: (operation) => built?.has(operation) }),
        [account, client, perform, built],
    );
    return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>;
}
