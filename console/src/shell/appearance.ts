// SPDX-License-Identifier: Apache-2.0
// Light or dark, comfortable or compact: the user's choice, else what the system prefers.
import { applyDensity, applyMode, Density, Mode } from "@cloudscape-design/global-styles";
import { Store } from "./store";

export interface Appearance {
    dark: boolean;
    compact: boolean;
}

const kKey = "kiln.appearance";

function read(): Appearance {
    const fallback = { dark: window.matchMedia("(prefers-color-scheme: dark)").matches, compact: false };
    try {
        return { ...fallback, ...(JSON.parse(localStorage.getItem(kKey) ?? "{}") as Partial<Appearance>) };
    } catch {
        return fallback;
    }
}

function apply({ dark, compact }: Appearance): void {
    applyMode(dark ? Mode.Dark : Mode.Light);
    applyDensity(compact ? Density.Compact : Density.Comfortable);
}

export const appearance = new Store<Appearance>(read());
apply(appearance.get());

export function change(to: Partial<Appearance>): void {
    const next = { ...appearance.get(), ...to };
    localStorage.setItem(kKey, JSON.stringify(next));
    apply(next);
    appearance.set(next);
}
