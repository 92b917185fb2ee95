// SPDX-License-Identifier: Apache-2.0
import { useEffect } from "react";

/** Calls `reload` again and again while `live` holds and somebody can see the page. */
export function useRefresh(reload: () => void, live: boolean, everyMs: number): void {
    useEffect(() => {
        if (!live) {
            return undefined;
        }
        const timer = window.setInterval(() => {
            if (document.visibilityState === "visible") {
                reload();
            }
        }, everyMs);
        return () => window.clearInterval(timer);
    }, [live, reload, everyMs]);
}
