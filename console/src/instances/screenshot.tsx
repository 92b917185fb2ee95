// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";
import { Button, SpaceBetween } from "@cloudscape-design/components";
import { useCallback, type ReactNode } from "react";
import type { Client } from "../api/client";
import { ErrorAlert } from "../forms/error-alert";
import { useAnswer } from "../session/use-answer";

/** What the guest's screen shows. */
export function Screenshot({ instance }: { instance: Instance }): ReactNode {
    const id = instance.InstanceId ?? "";
    const ask = useCallback(
        async (client: Client) => (await client.call("GetConsoleScreenshot", { InstanceId: id })).ImageData ?? "",
        [id],
    );
    const { value, error, loading, reload } = useAnswer(ask);
    return (
        <SpaceBetween size="s">
            <Button iconName="refresh" ariaLabel="Refresh the screenshot" loading={loading} onClick={reload} />
            <ErrorAlert error={error} />
            {value && <img className="screenshot" src={`data:image/jpeg;base64,${value}`} alt={`Screen of ${id}`} />}
        </SpaceBetween>
    );
}
