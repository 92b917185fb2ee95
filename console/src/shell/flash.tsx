// SPDX-License-Identifier: Apache-2.0
// Messages above the page: what was done, and what went wrong outside of a form.
import { Flashbar, type FlashbarProps } from "@cloudscape-design/components";
import { useEffect, type ReactNode } from "react";
import type { ApiError } from "../api/errors";
import { Store, useStore } from "./store";

type Message = FlashbarProps.MessageDefinition & { shown: number };

const messages = new Store<readonly Message[]>([]);
let nextId = 1;

// A message belongs to the page after the one it was caused on: it stays through the change of pages that comes with it,
// and goes with the next one. The moment lies between a program's change and a person's.
const kSettledMs = 2000;

function dropSettled(): void {
    const settled = Date.now() - kSettledMs;
    messages.set(messages.get().filter(({ shown }) => shown > settled));
}

/** Once, above all pages. */
export function useFlashesPerPage(): void {
    useEffect(() => {
        window.addEventListener("hashchange", dropSettled);
        return () => window.removeEventListener("hashchange", dropSettled);
    }, []);
}

function show(type: FlashbarProps.Type, header: ReactNode, content?: ReactNode): void {
    const id = String(nextId++);
    const dismiss = () => messages.set(messages.get().filter((message) => message.id !== id));
    const message = {
        id,
        type,
        header,
        content,
        dismissible: true,
        dismissLabel: "Dismiss",
        onDismiss: dismiss,
        shown: Date.now(),
    };
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
    return <Flashbar items={useStore(messages).map(({ shown: _shown, ...message }) => message)} stackItems />;
}
