// SPDX-License-Identifier: Apache-2.0
// Counts what this console changed. Lists listen, so that nobody has to press Refresh after an action.
import { Store } from "../shell/store";

export const changes = new Store(0);

export function noteChange(): void {
    changes.set(changes.get() + 1);
}
