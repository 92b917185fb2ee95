// SPDX-License-Identifier: Apache-2.0
// A page that is a form: the error the fields do not show at its top, what it does as CLI, and its buttons.
import { Button, Form, Header, SpaceBetween } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { ApiError } from "../api/errors";
import { ShowAsCli, type Call } from "../cli/show";
import { Page, type Crumb } from "../shell/page";
import { navigate } from "../shell/router";
import { ErrorAlert } from "./error-alert";

interface FormPageProps {
    title: string;
    description?: ReactNode;
    crumbs: readonly Crumb[];
    /** Undefined when a field shows it. */
    error?: ApiError;
    busy: boolean;
    disabled?: boolean;
    submitText: string;
    onSubmit(): void;
    calls: readonly Call[];
    children: ReactNode;
}

export function FormPage(props: FormPageProps): ReactNode {
    const back = props.crumbs[props.crumbs.length - 1]?.href ?? "#/instances";
    return (
        <Page title={props.title} crumbs={props.crumbs} contentType="form">
            <form
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
                    actions={
                        <SpaceBetween direction="horizontal" size="xs">
                            <Button formAction="none" variant="link" onClick={() => navigate(back)}>
                                Cancel
                            </Button>
                            <Button variant="primary" loading={props.busy} disabled={props.disabled}>
                                {props.submitText}
                            </Button>
                        </SpaceBetween>
                    }
                >
                    <SpaceBetween size="l">
                        <ErrorAlert error={props.error} />
                        {props.children}
                        <ShowAsCli calls={props.calls} />
                    </SpaceBetween>
                </Form>
            </form>
        </Page>
    );
}
