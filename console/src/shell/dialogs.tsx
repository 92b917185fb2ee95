// SPDX-License-Identifier: Apache-2.0
// The one dialog that is open, if any. Actions of menus open it; it closes itself.
import type { ReactNode } from "react";
import { Store, useStore } from "./store";

const open = new Store<ReactNode>(null);

export function openDialog(dialog: ReactNode): void {
    open.set(dialog);
}

export function closeDialog(): void {
    open.set(null);
}

export function DialogHost(): ReactNode {
    return useStore(open);
}
