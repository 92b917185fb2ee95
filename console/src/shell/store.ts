// SPDX-License-Identifier: Apache-2.0
// A value with listeners: the one way in which the console keeps what outlives a component.
import { useSyncExternalStore } from "react";

export class Store<T> {
    private readonly listeners = new Set<() => void>();

    constructor(private value: T) {}

    get = (): T => this.value;

    set = (next: T): void => {
        this.value = next;
        this.listeners.forEach((listener) => listener());
    };

    subscribe = (listener: () => void): (() => void) => {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
    };
}

export function useStore<T>(store: Store<T>): T {
    return useSyncExternalStore(store.subscribe, store.get);
}
