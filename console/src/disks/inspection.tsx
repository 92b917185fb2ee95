// SPDX-License-Identifier: Apache-2.0
// What is on the disk of an image or a snapshot, and the warning that it may not boot.
import { Alert, Button, SpaceBetween, StatusIndicator } from "@cloudscape-design/components";
import { useCallback, type ReactNode } from "react";
import type { Client } from "../api/client";
import type { Inspection } from "../api/inspection";
import { ErrorAlert } from "../forms/error-alert";
import { Facts } from "../list/display";
import { useAnswer, type Answer } from "../session/use-answer";

/** Asked once per id; not at all while `id` is undefined, as while an image is being made. */
export function useInspection(id: string | undefined): Answer<Inspection | undefined> {
    const ask = useCallback(async (client: Client) => (id ? client.inspect(id) : undefined), [id]);
    return useAnswer(ask);
}

/** Nothing where there is nothing to warn of. */
export function BootWarnings({ subject, warnings }: { subject: string; warnings: readonly string[] }): ReactNode {
    if (warnings.length === 0) {
        return null;
    }
    return (
        <Alert type="warning" header={`Instances of this ${subject} may not boot`}>
            {warnings.length === 1 ? (
                warnings[0]
            ) : (
                <ul className="reasons">
                    {warnings.map((warning) => (
                        <li key={warning}>{warning}</li>
                    ))}
                </ul>
            )}
        </Alert>
    );
}

/** The tab "Disk". */
export function DiskReport({ answer }: { answer: Answer<Inspection | undefined> }): ReactNode {
    const { value, error, loading, reload } = answer;
    const notRead = error !== undefined || value?.notRead !== undefined;
    const disk = value?.disk;
    return (
        <SpaceBetween size="s">
            <ErrorAlert error={error} />
            {value?.notRead && <Alert type="info">The disk was not looked at: {value.notRead}.</Alert>}
            {loading && !value && <StatusIndicator type="loading">Looking at the disk</StatusIndicator>}
            {!loading && !value && !error && (
                <StatusIndicator type="pending">The disk can be looked at when it is complete.</StatusIndicator>
            )}
            {notRead && (
                <Button loading={loading} onClick={reload}>
                    Try again
                </Button>
            )}
            {disk && (
                <Facts
                    facts={[
                        ["System", disk.system ?? "None found"],
                        ["Architecture", disk.architecture ?? "Not told by the disk"],
                        ["Boots with", disk.bootMode ?? "Not told by the disk"],
                        ["Root file system", disk.root],
                        ["Partitions", disk.partitions],
                        [
                            "Verdict",
                            disk.bootWarnings.length === 0 ? (
                                <StatusIndicator type="success">Looks bootable</StatusIndicator>
                            ) : (
                                <StatusIndicator type="warning">Does not look bootable</StatusIndicator>
                            ),
                        ],
                    ]}
                />
            )}
        </SpaceBetween>
    );
}
