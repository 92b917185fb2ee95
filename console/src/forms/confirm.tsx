// SPDX-License-Identifier: Apache-2.0
// A question before something is done, and the calls that do it.
import { Box, SpaceBetween } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Operation } from "../api/commands";
import type { Call } from "../cli/show";
import { useSession, type Session } from "../session/session";
import { openDialog } from "../shell/dialogs";
import { flashSuccess } from "../shell/flash";
import { ActionDialog } from "./action-dialog";

export function performCall(session: Session, call: Call): Promise<unknown> {
    // Each member of the union pairs an operation with its own input; the compiler sees the pairs apart.
    return session.perform<Operation>(call.operation, call.input, call.region);
}

interface Question {
    title: string;
    /** What happens, and to what. */
    text: ReactNode;
    subjects?: readonly string[];
    submitText: string;
    calls: readonly Call[];
    /** The message after it was done. */
    done: string;
    after?(): void;
}

function ConfirmDialog({ title, text, subjects, submitText, calls, done, after }: Question): ReactNode {
    const session = useSession();
    return (
        <ActionDialog
            title={title}
            submitText={submitText}
            calls={calls}
            work={async () => {
                for (const call of calls) {
                    await performCall(session, call);
                }
                flashSuccess(done);
                after?.();
            }}
        >
            <SpaceBetween size="xs">
                <Box>{text}</Box>
                {subjects?.map((subject) => (
                    <Box key={subject} variant="strong">
                        {subject}
                    </Box>
                ))}
            </SpaceBetween>
        </ActionDialog>
    );
}

export function confirm(question: Question): void {
    openDialog(<ConfirmDialog {...question} />);
}
