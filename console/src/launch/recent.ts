// SPDX-License-Identifier: Apache-2.0
// The images last launched from this browser, newest first, per account and region.
const kMost = 5;

const keyOf = (accountId: string, region: string): string => `kiln.recent.${accountId}.${region}`;

export function recentImages(accountId: string, region: string): string[] {
    try {
        const stored = JSON.parse(localStorage.getItem(keyOf(accountId, region)) ?? "[]") as unknown;
        return Array.isArray(stored) ? stored.filter((id) => typeof id === "string") : [];
    } catch {
        return [];
    }
}

export function noteRecent(accountId: string, region: string, imageId: string): void {
    const others = recentImages(accountId, region).filter((id) => id !== imageId);
    localStorage.setItem(keyOf(accountId, region), JSON.stringify([imageId, ...others].slice(0, kMost)));
}
