// SPDX-License-Identifier: Apache-2.0
// From what is typed into a property filter to EC2 filters, so that the server finds and not the browser.
//
// Tokens of different attributes must all hold; several values of one attribute are alternatives, as in EC2. EC2 has no
// keyword search: a free word is looked for in each of a resource's search attributes by a request of its own (a
// stream), and the answers are joined; further words narrow what comes back.
import type { Filter } from "@aws-sdk/client-ec2";

export interface Token {
    propertyKey?: string;
    operator: string;
    value: unknown;
}

export interface Plan {
    /** One request each, joined by id. */
    streams: readonly (readonly Filter[])[];
    /** Words that an item must hold besides, in any of its texts; lower case. */
    words: readonly string[];
}

const escape = (value: string): string => value.replace(/[*?\\]/g, "\\$&");

const containing = (value: string): string => `*${escape(value)}*`;

export function plan(tokens: readonly Token[], fixed: readonly Filter[], searchFilters: readonly string[]): Plan {
    const values = new Map<string, string[]>();
    const words: string[] = [];
    for (const { propertyKey, operator, value } of tokens) {
        const text = String(value).trim();
        if (propertyKey) {
            const pattern = operator === ":" ? containing(text) : escape(text);
            values.set(propertyKey, [...(values.get(propertyKey) ?? []), pattern]);
        } else if (text) {
            words.push(text);
        }
    }
    const filters = [...fixed, ...[...values].map(([Name, Values]) => ({ Name, Values }))];
    const [first, ...others] = words;
    const streams = first
        ? searchFilters.map((Name) => [...filters, { Name, Values: [containing(first)] }])
        : [filters];
    return { streams, words: others.map((word) => word.toLowerCase()) };
}

/** Whether every word occurs somewhere in the item's texts, tags included. */
export function matches(item: unknown, words: readonly string[]): boolean {
    if (words.length === 0) {
        return true;
    }
    const text = JSON.stringify(item).toLowerCase();
    return words.every((word) => text.includes(JSON.stringify(word).slice(1, -1)));
}

/** "#/images?image-id=ami-1" opens the list with that filter set. */
export function tokensOf(query: URLSearchParams, known: ReadonlySet<string>): Token[] {
    return [...query]
        .filter(([name]) => known.has(name))
        .map(([propertyKey, value]) => ({ propertyKey, operator: "=", value }));
}
