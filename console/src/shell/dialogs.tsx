// SPDX-License-Identifier: Apache-2.0
// The one dialog that is open, if any. Actions of menus open it; it closes itself.
import { useEffect, type ReactNode } from "react";
import { Store, useStore } from "./store";

const open = new Store<ReactNode>(null);

export function openDialog(dialog: ReactNode): void {
    open.set(dialog);
}

export function closeDialog(): void {
    open.set(null);
}

export function DialogHost(): ReactNode {
    useEffect(() => {
        // It is about the page it was opened on: the browser's Back takes both away.
        window.addEventListener("hashchange", closeDialog);
        return () => window.removeEventListener("hashchange", closeDialog);
    }, []);
    return useStore(open);
}
