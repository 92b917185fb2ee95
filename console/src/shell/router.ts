// SPDX-License-Identifier: Apache-2.0
// The hash router: "#/images/ami-1?tab=tags" is path ["images", "ami-1"] and query tab=tags. Hash routes need nothing of
// the server but one file.
import { useMemo, useSyncExternalStore } from "react";

export interface Route {
    path: readonly string[];
    query: URLSearchParams;
}

export function parseHash(hash: string): Route {
    const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
    return {
        path: path.split("/").filter(Boolean).map(decodeURIComponent),
        query: new URLSearchParams(query),
    };
}

export function navigate(href: string): void {
    window.location.hash = href.replace(/^#/, "");
}

/** For links of components: goes there without a reload, leaving modified clicks to the browser. */
export function follow(event: { preventDefault(): void; detail: { href?: string } }): void {
    if (event.detail.href?.startsWith("#")) {
        event.preventDefault();
        navigate(event.detail.href);
    }
}

function subscribe(listener: () => void): () => void {
    window.addEventListener("hashchange", listener);
    return () => window.removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
    const hash = useSyncExternalStore(subscribe, () => window.location.hash);
    return useMemo(() => parseHash(hash), [hash]);
}
