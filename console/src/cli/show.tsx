// SPDX-License-Identifier: Apache-2.0
import { Box, CopyToClipboard, ExpandableSection, SpaceBetween } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Input, Operation } from "../api/commands";
import { useSession } from "../session/session";
import { commandLine } from "./command-line";

export function CommandLine({ line }: { line: string }): ReactNode {
    return (
        <div className="command-line">
            <CopyToClipboard
                variant="icon"
                textToCopy={line}
                copyButtonAriaLabel="Copy the command"
                copySuccessText="Copied"
                copyErrorText="The browser refused to copy"
            />
            <code>{line}</code>
        </div>
    );
}

/** An operation with its input: what Show as CLI prints and `perform` does. */
export type Call = { [K in Operation]: { operation: K; input: Input<K>; region?: string } }[Operation];

/** What a form is about to do, as lines of the aws CLI. */
export function ShowAsCli({ calls }: { calls: readonly Call[] }): ReactNode {
    const { client } = useSession();
    return (
        <ExpandableSection headerText="Show as CLI" variant="footer">
            <SpaceBetween size="xs">
                {calls.map(({ operation, input, region }, index) => (
                    <CommandLine key={index} line={commandLine(operation, input, region ?? client.region)} />
                ))}
                <Box color="text-body-secondary" fontSize="body-s">
                    Once per shell: <Box variant="code">eval &quot;$(kiln env)&quot;</Box> points the CLI at this
                    server.
                </Box>
            </SpaceBetween>
        </ExpandableSection>
    );
}
