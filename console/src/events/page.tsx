// SPDX-License-Identifier: Apache-2.0
import { Box, Button, Header, SpaceBetween, StatusIndicator, Table, TextFilter } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { CommandLine } from "../cli/show";
import { Reference, time } from "../list/display";
import { Page } from "../shell/page";
import { useStore } from "../shell/store";
import { clearLog, log, type LogEntry } from "./log";

// Where the id of a resource leads.
const kRoutes: readonly (readonly [string, string])[] = [
    ["i-", "instances"],
    ["ami-", "images"],
    ["vol-", "volumes"],
    ["snap-", "snapshots"],
];

function What({ entry }: { entry: LogEntry }): ReactNode {
    if (entry.kind === "change") {
        const route = kRoutes.find(([prefix]) => entry.resourceId.startsWith(prefix))?.[1];
        return route ? <Reference route={route} id={entry.resourceId} /> : entry.resourceId;
    }
    return <StatusIndicator type={entry.error ? "error" : "success"}>{entry.operation}</StatusIndicator>;
}

function Details({ entry }: { entry: LogEntry }): ReactNode {
    if (entry.kind === "change") {
        return `${entry.from} → ${entry.to}`;
    }
    return (
        <SpaceBetween size="xxs">
            <CommandLine line={entry.line} />
            {entry.error && (
                <Box color="text-status-error">
                    {entry.error.code}: {entry.error.message}
                </Box>
            )}
        </SpaceBetween>
    );
}

export default function EventsPage(): ReactNode {
    const entries = useStore(log);
    const [text, setText] = useState("");
    const wanted = text.toLowerCase();
    const shown = entries.filter((entry) => JSON.stringify(entry).toLowerCase().includes(wanted));
    return (
        <Page title="Events" contentType="table">
            <Table<LogEntry>
                variant="full-page"
                stickyHeader
                wrapLines
                items={shown}
                trackBy={({ id }) => String(id)}
                ariaLabels={{ tableLabel: "Events" }}
                columnDefinitions={[
                    { id: "time", header: "Time", cell: (entry) => time(entry.time), width: 180 },
                    {
                        id: "what",
                        header: "What",
                        cell: (entry) => <What entry={entry} />,
                        isRowHeader: true,
                        width: 230,
                    },
                    { id: "details", header: "Details", cell: (entry) => <Details entry={entry} /> },
                    {
                        id: "request",
                        header: "Request ID",
                        cell: (entry) => (entry.kind === "action" ? (entry.requestId ?? "–") : "–"),
                        width: 200,
                    },
                ]}
                header={
                    <Header
                        variant="awsui-h1-sticky"
                        counter={`(${entries.length})`}
                        description="What this console did since the page was loaded, and changes it saw. Newest first."
                        actions={
                            <Button disabled={entries.length === 0} onClick={clearLog}>
                                Clear
                            </Button>
                        }
                    >
                        Events
                    </Header>
                }
                filter={
                    <TextFilter
                        filteringText={text}
                        filteringPlaceholder="Find events"
                        filteringAriaLabel="Find events"
                        onChange={({ detail }) => setText(detail.filteringText)}
                    />
                }
                empty={
                    <Box textAlign="center" color="text-body-secondary">
                        Nothing happened yet. Actions appear here with the aws CLI line that does the same.
                    </Box>
                }
            />
        </Page>
    );
}
