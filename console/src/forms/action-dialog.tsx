// SPDX-License-Identifier: Apache-2.0
// A dialog that performs calls: what it will do in words, fields if any, the error, the same as CLI, and the button.
import { Box, Button, Modal, SpaceBetween } from "@cloudscape-design/components";
import { useId, type ReactNode } from "react";
import { ShowAsCli, type Call } from "../cli/show";
import { closeDialog } from "../shell/dialogs";
import { fieldOf, type ApiError, type FieldPatterns } from "../api/errors";
import { ErrorAlert } from "./error-alert";
import { useSubmit } from "./use-submit";

interface ActionDialogProps<F extends string> {
    title: string;
    submitText: string;
    calls: readonly Call[];
    disabled?: boolean;
    /** Fields that show errors themselves. */
    patterns?: FieldPatterns<F>;
    work(): Promise<void>;
    children: ReactNode | ((fieldError: (field: F) => ApiError | undefined) => ReactNode);
}

export function ActionDialog<F extends string = never>(props: ActionDialogProps<F>): ReactNode {
    const { busy, error, submit } = useSubmit(async () => {
        await props.work();
        closeDialog();
    });
    const form = useId();
    const field = props.patterns && fieldOf(error, props.patterns);
    const children =
        typeof props.children === "function"
            ? props.children((name) => (name === field ? error : undefined))
            : props.children;
    return (
        <Modal
            visible
            header={props.title}
            onDismiss={closeDialog}
            footer={
                <Box float="right">
                    <SpaceBetween direction="horizontal" size="xs">
                        <Button variant="link" onClick={closeDialog}>
                            Cancel
                        </Button>
                        <Button variant="primary" form={form} loading={busy} disabled={props.disabled}>
                            {props.submitText}
                        </Button>
                    </SpaceBetween>
                </Box>
            }
        >
            <form
                id={form}
                onSubmit={(event) => {
                    event.preventDefault();
                    submit();
                }}
            >
                <SpaceBetween size="m">
                    {!field && <ErrorAlert error={error} />}
                    {children}
                    <ShowAsCli calls={props.calls} />
                </SpaceBetween>
            </form>
        </Modal>
    );
}
