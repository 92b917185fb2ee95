// SPDX-License-Identifier: Apache-2.0
// The end of the serial console, as it is now and again every few seconds while the instance runs.
import type { Instance } from "@aws-sdk/client-ec2";
import { Box, Button, CopyToClipboard, SpaceBetween, Toggle } from "@cloudscape-design/components";
import { useCallback, useEffect, useRef, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ErrorAlert } from "../forms/error-alert";
import { time } from "../list/display";
import { useAnswer } from "../session/use-answer";
import { useRefresh } from "../session/use-refresh";
import { plainText } from "./plain-text";

const kRefreshMs = 4000;

export function ConsoleText({ instance }: { instance: Instance }): ReactNode {
    const id = instance.InstanceId ?? "";
    const [follow, setFollow] = useState(true);
    const ask = useCallback(
        async (client: Client) => {
            const { Output, Timestamp } = await client.call("GetConsoleOutput", { InstanceId: id, Latest: true });
            const bytes = Uint8Array.from(atob(Output ?? ""), (character) => character.charCodeAt(0));
            return { text: plainText(new TextDecoder().decode(bytes)), at: Timestamp };
        },
        [id],
    );
    const { value, error, loading, reload } = useAnswer(ask);
    const live = follow && ["pending", "running", "stopping", "shutting-down"].includes(instance.State?.Name ?? "");

    useRefresh(reload, live, kRefreshMs);

    const screen = useRef<HTMLPreElement>(null);
    useEffect(() => {
        if (follow) {
            screen.current?.scrollTo({ top: screen.current.scrollHeight });
        }
    }, [follow, value]);

    return (
        <SpaceBetween size="s">
            <SpaceBetween direction="horizontal" size="s" alignItems="center">
                <Button
                    iconName="refresh"
                    ariaLabel="Refresh the console text"
                    loading={loading && !value}
                    onClick={reload}
                />
                <Toggle checked={follow} onChange={({ detail }) => setFollow(detail.checked)}>
                    Follow
                </Toggle>
                <CopyToClipboard
                    variant="icon"
                    textToCopy={value?.text ?? ""}
                    copyButtonAriaLabel="Copy the console text"
                    copySuccessText="Copied"
                    copyErrorText="The browser refused to copy"
                />
                <Box color="text-body-secondary">{value && `Last 64 KiB, as of ${time(value.at)}`}</Box>
            </SpaceBetween>
            <ErrorAlert error={error} />
            <pre ref={screen} className="screen" tabIndex={0} aria-label={`Console text of ${id}`}>
                {value?.text || "Nothing was written to the serial console yet."}
            </pre>
        </SpaceBetween>
    );
}
