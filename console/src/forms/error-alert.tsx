// SPDX-License-Identifier: Apache-2.0
import { Alert, Box } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { ApiError } from "../api/errors";

/** An error of the server, verbatim. */
export function ErrorAlert({ error }: { error: ApiError | undefined }): ReactNode {
    if (!error) {
        return null;
    }
    return (
        <Alert type="error" header={error.code}>
            {error.message}
            {error.requestId && (
                <Box color="text-body-secondary" fontSize="body-s">
                    Request ID: {error.requestId}
                </Box>
            )}
        </Alert>
    );
}

/** The same beside a field. */
export function fieldText(error: ApiError | undefined): string | undefined {
    return error && `${error.code}: ${error.message}`;
}
