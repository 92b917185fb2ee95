// SPDX-License-Identifier: Apache-2.0
// What went wrong, in the server's own words. The console never rewrites an EC2 code or message.

export class ApiError extends Error {
    constructor(
        readonly code: string,
        message: string,
        readonly requestId?: string,
    ) {
        super(message);
    }
}

interface ServiceFailure {
    name?: string;
    Code?: string;
    message?: string;
    $metadata?: { requestId?: string };
}

/** Any thrown value as an ApiError; a failure to reach the server says so instead of "Failed to fetch". */
export function asApiError(failure: unknown): ApiError {
    if (failure instanceof ApiError) {
        return failure;
    }
    const { name, Code, message, $metadata } = (failure ?? {}) as ServiceFailure;
    if (name === "TypeError" && !$metadata?.requestId) {
        return new ApiError("Unreachable", "The server did not answer. Check that it is running, then try again.");
    }
    return new ApiError(Code ?? name ?? "Error", message ?? String(failure), $metadata?.requestId);
}

/** The error that a call under /kiln/v1/ answered: JSON with the same words as EC2's XML. */
export function kilnError(status: number, body: string): ApiError {
    try {
        const { code, message, requestId } = JSON.parse(body) as {
            code?: string;
            message?: string;
            requestId?: string;
        };
        return new ApiError(code ?? `HTTP ${status}`, message ?? body, requestId);
    } catch {
        return new ApiError(`HTTP ${status}`, body);
    }
}

/** One form field's share of errors: patterns matched against "Code: message". */
export type FieldPatterns<F extends string> = Readonly<Record<F, RegExp>>;

/** The field an error is about, or undefined when it belongs at the top of the form. */
export function fieldOf<F extends string>(error: ApiError | undefined, patterns: FieldPatterns<F>): F | undefined {
    if (!error) {
        return undefined;
    }
    const text = `${error.code}: ${error.message}`;
    return (Object.keys(patterns) as F[]).find((field) => patterns[field].test(text));
}
