// SPDX-License-Identifier: Apache-2.0
// The accounts this browser may act as. Keys live in sessionStorage (this tab, until it closes), and in localStorage
// only for accounts the user asked to remember.
import { Store } from "../shell/store";
import type { Keys } from "../api/client";

export interface Account extends Keys {
    accountId: string;
    arn: string;
    region: string;
    remembered: boolean;
}

export interface Accounts {
    all: readonly Account[];
    /** Access key of the account in use; none: signed out. */
    current?: string;
}

const kKey = "kiln.accounts";

function read(storage: Storage): Accounts {
    try {
        const stored = JSON.parse(storage.getItem(kKey) ?? "") as Accounts;
        return Array.isArray(stored.all) ? stored : { all: [] };
    } catch {
        return { all: [] };
    }
}

export function merge(tab: Accounts, computer: Accounts): Accounts {
    const mine = new Set(tab.all.map((account) => account.accessKeyId));
    const all = [...tab.all, ...computer.all.filter((account) => !mine.has(account.accessKeyId))];
    return { all, current: tab.current ?? computer.current };
}

export const accounts = new Store<Accounts>(merge(read(sessionStorage), read(localStorage)));

accounts.subscribe(() => {
    const now = accounts.get();
    const all = now.all.filter((account) => account.remembered);
    const current = all.find((account) => account.accessKeyId === now.current)?.accessKeyId;
    sessionStorage.setItem(kKey, JSON.stringify(now));
    if (all.length > 0) {
        localStorage.setItem(kKey, JSON.stringify({ all, current }));
    } else {
        localStorage.removeItem(kKey);
    }
});

export function currentAccount(state: Accounts): Account | undefined {
    return state.all.find((account) => account.accessKeyId === state.current);
}

export function signIn(account: Account): void {
    const others = accounts.get().all.filter((other) => other.accessKeyId !== account.accessKeyId);
    accounts.set({ all: [...others, account], current: account.accessKeyId });
}

/** Forgets the account in use; another one is not taken up by itself. */
export function signOut(): void {
    const { all, current } = accounts.get();
    accounts.set({ all: all.filter((account) => account.accessKeyId !== current) });
}

export function switchTo(accessKeyId: string | undefined): void {
    accounts.set({ ...accounts.get(), current: accessKeyId });
}

export function setRegion(region: string): void {
    const { all, current } = accounts.get();
    accounts.set({
        current,
        all: all.map((account) => (account.accessKeyId === current ? { ...account, region } : account)),
    });
}
