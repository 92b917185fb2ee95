// SPDX-License-Identifier: Apache-2.0
import { useCallback, useState } from "react";
import { asApiError, type ApiError } from "../api/errors";

export interface Submission {
    busy: boolean;
    error?: ApiError;
    submit(): void;
}

/** Runs `work` once per submit; its failure becomes `error` until the next try. */
export function useSubmit(work: () => Promise<void>): Submission {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<ApiError>();
    const submit = useCallback(() => {
        setBusy(true);
        setError(undefined);
        work().then(
            () => setBusy(false),
            (failure: unknown) => {
                setError(asApiError(failure));
                setBusy(false);
            },
        );
    }, [work]);
    return { busy, error, submit };
}
