// SPDX-License-Identifier: Apache-2.0
// Menu entries of actions, the same for the Actions button, the context menu and item pages.
import type { ButtonDropdownProps } from "@cloudscape-design/components";
import type { Session } from "../session/session";
import type { Action, Resource } from "./resource";

type Items = ButtonDropdownProps.Items;

function refusalOf<T>(
    resource: Resource<T>,
    action: Action<T>,
    items: readonly T[],
    session: Session,
): string | undefined {
    if (action.operation && session.isBuilt(action.operation) === false) {
        return `This server does not offer ${action.operation} yet.`;
    }
    if (action.takes === "one" && items.length !== 1) {
        return `Select one ${resource.singular} first.`;
    }
    if (action.takes === "some" && items.length === 0) {
        return `Select at least one ${resource.singular} first.`;
    }
    return action.refusal?.(items, session);
}

export function menuItems<T>(resource: Resource<T>, items: readonly T[], session: Session): Items {
    const entries: ButtonDropdownProps.ItemOrGroup[] = [];
    const groups = new Map<string, ButtonDropdownProps.ItemOrGroup[]>();
    for (const action of resource.actions) {
        const refusal = refusalOf(resource, action, items, session);
        const entry = { id: action.id, text: action.text, disabled: refusal !== undefined, disabledReason: refusal };
        if (!action.group) {
            entries.push(entry);
            continue;
        }
        const group = groups.get(action.group);
        if (group) {
            group.push(entry);
        } else {
            const children = [entry];
            groups.set(action.group, children);
            entries.push({ text: action.group, items: children });
        }
    }
    return entries;
}

export function runAction<T>(resource: Resource<T>, id: string, items: readonly T[], session: Session): void {
    resource.actions.find((action) => action.id === id)?.run(items, session);
}
