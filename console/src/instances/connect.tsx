// SPDX-License-Identifier: Apache-2.0
// How to log in: the command, and what it needs.
import type { Instance } from "@aws-sdk/client-ec2";
import { Box, SpaceBetween } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { CommandLine } from "../cli/show";

export function Connect({ instance }: { instance: Instance }): ReactNode {
    const id = instance.InstanceId ?? "";
    if (instance.State?.Name !== "running") {
        return (
            <Box color="text-body-secondary">
                The instance is {instance.State?.Name ?? "gone"}: one logs in to a running one.
            </Box>
        );
    }
    const key = instance.KeyName;
    return (
        <SpaceBetween size="s">
            {key ? (
                <>
                    <Box>With the private key of {key}, from anywhere that reaches this server:</Box>
                    <CommandLine line={`kiln ssh -i ${key}.pem ${id}`} />
                    <Box color="text-body-secondary">
                        A security group must open port 22 to this server's host (127.0.0.0/8). The image's user may be
                        another than root: USER@{id}.
                    </Box>
                </>
            ) : (
                <Box>It was launched without a key pair, so nobody logs in with ssh unless the image lets them.</Box>
            )}
            <Box>The serial console, where the image has a terminal on it:</Box>
            <CommandLine line={`kiln console ${id}`} />
        </SpaceBetween>
    );
}
