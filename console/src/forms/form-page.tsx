// SPDX-License-Identifier: Apache-2.0
// A page that is a form: the error the fields do not show at its top, what it does as CLI, and its buttons.
import { Button, Form, Header, SpaceBetween } from "@cloudscape-design/components";
import { useEffect, useRef, type ReactNode } from "react";
import type { ApiError } from "../api/errors";
import { ShowAsCli, type Call } from "../cli/show";
import { Page, type Crumb } from "../shell/page";
import { navigate } from "../shell/router";
import { ErrorAlert } from "./error-alert";

interface FormPageProps {
    title: string;
    description?: ReactNode;
    crumbs: readonly Crumb[];
    error?: ApiError;
    /** Whether a field shows the error; otherwise the top of the form does. */
    errorAtField: boolean;
    busy: boolean;
    disabled?: boolean;
    submitText: string;
    onSubmit(): void;
    /** The form shows its buttons elsewhere. */
    withoutButtons?: boolean;
    calls: readonly Call[];
    children: ReactNode;
}

interface FormButtonsProps {
    back: string;
    busy: boolean;
    disabled?: boolean;
    submitText: string;
    /** One below the other, over the whole width. */
    stacked?: boolean;
}

export function FormButtons({ back, busy, disabled, submitText, stacked }: FormButtonsProps): ReactNode {
    const cancel = (
        <Button key="cancel" formAction="none" variant="link" fullWidth={stacked} onClick={() => navigate(back)}>
            Cancel
        </Button>
    );
    const submit = (
        <Button key="submit" variant="primary" fullWidth={stacked} loading={busy} disabled={disabled}>
            {submitText}
        </Button>
    );
    return (
        <SpaceBetween direction={stacked ? "vertical" : "horizontal"} size="xs">
            {stacked ? [submit, cancel] : [cancel, submit]}
        </SpaceBetween>
    );
}

export function FormPage(props: FormPageProps): ReactNode {
    const form = useRef<HTMLFormElement>(null);
    const { error } = props;
    useEffect(() => {
        // The mistake may be far from the button.
        const field = form.current?.querySelector('[aria-invalid="true"]');
        if (error) {
            (field ?? form.current)?.scrollIntoView({ block: field ? "center" : "start" });
        }
    }, [error]);
    const back = props.crumbs[props.crumbs.length - 1]?.href ?? "#/instances";
    return (
        <Page title={props.title} crumbs={props.crumbs} contentType="form">
            <form
                ref={form}
                onSubmit={(event) => {
                    event.preventDefault();
                    props.onSubmit();
                }}
            >
                <Form
                    header={
                        <Header variant="h1" description={props.description}>
                            {props.title}
                        </Header>
                    }
                    actions={!props.withoutButtons && <FormButtons {...props} back={back} />}
                >
                    <SpaceBetween size="l">
                        <ErrorAlert error={props.errorAtField ? undefined : error} />
                        {props.children}
                        <ShowAsCli calls={props.calls} />
                    </SpaceBetween>
                </Form>
            </form>
        </Page>
    );
}
