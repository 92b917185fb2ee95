// SPDX-License-Identifier: Apache-2.0
// Messages above the page: what was done, and what went wrong outside of a form.
import { Flashbar, type FlashbarProps } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { ApiError } from "../api/errors";
import { Store, useStore } from "./store";

const messages = new Store<readonly FlashbarProps.MessageDefinition[]>([]);
let nextId = 1;

function show(type: FlashbarProps.Type, header: ReactNode, content?: ReactNode): void {
    const id = String(nextId++);
    const dismiss = () => messages.set(messages.get().filter((message) => message.id !== id));
    const message = { id, type, header, content, dismissible: true, dismissLabel: "Dismiss", onDismiss: dismiss };
    messages.set([message, ...messages.get()].slice(0, 5));
}

export function flashSuccess(header: ReactNode, content?: ReactNode): void {
    show("success", header, content);
}

export function flashError(header: ReactNode, error: ApiError): void {
    show("error", header, `${error.code}: ${error.message}`);
}

export function clearFlashes(): void {
    messages.set([]);
}

export function Flashes(): ReactNode {
    return <Flashbar items={[...useStore(messages)]} stackItems />;
}
