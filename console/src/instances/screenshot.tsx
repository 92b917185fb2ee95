// SPDX-License-Identifier: Apache-2.0
// What the guest's screen shows, as it is now and again every few seconds while the instance runs.
import type { Instance } from "@aws-sdk/client-ec2";
import { Box, Button, SpaceBetween, StatusIndicator, Toggle } from "@cloudscape-design/components";
import { useCallback, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ErrorAlert } from "../forms/error-alert";
import { time } from "../list/display";
import { useAnswer } from "../session/use-answer";
import { useRefresh } from "../session/use-refresh";

const kRefreshMs = 4000;

export function Screenshot({ instance }: { instance: Instance }): ReactNode {
    const id = instance.InstanceId ?? "";
    const running = instance.State?.Name === "running";
    const [follow, setFollow] = useState(true);
    const ask = useCallback(
        async (client: Client) => {
            if (!running) {
                return undefined;
            }
            const { ImageData } = await client.call("GetConsoleScreenshot", { InstanceId: id });
            return { picture: ImageData ?? "", at: new Date() };
        },
        [id, running],
    );
    const { value, error, loading, reload } = useAnswer(ask);
    useRefresh(reload, follow && running, kRefreshMs);
    if (!running) {
        return (
            <Box color="text-body-secondary">
                The instance is {instance.State?.Name ?? "gone"}: only a running one has a screen.
            </Box>
        );
    }
    return (
        <SpaceBetween size="s">
            <SpaceBetween direction="horizontal" size="s" alignItems="center">
                <Button
                    iconName="refresh"
                    ariaLabel="Refresh the screenshot"
                    loading={loading && !value}
                    onClick={reload}
                />
                <Toggle checked={follow} onChange={({ detail }) => setFollow(detail.checked)}>
                    Follow
                </Toggle>
                <Box color="text-body-secondary">{value && `As of ${time(value.at)}`}</Box>
            </SpaceBetween>
            <ErrorAlert error={error} />
            {!value && !error && <StatusIndicator type="loading">Taking a picture of the screen</StatusIndicator>}
            {value && (
                <img className="screenshot" src={`data:image/jpeg;base64,${value.picture}`} alt={`Screen of ${id}`} />
            )}
        </SpaceBetween>
    );
}
