// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";

/** Why the instance ended though nobody asked for it, in the server's words; undefined where it did not. */
export function failureOf({ StateReason, State }: Instance): string | undefined {
    const ended = State?.Name === "terminated" || State?.Name === "stopped";
    return ended && StateReason?.Code?.startsWith("Server.") ? (StateReason.Message ?? StateReason.Code) : undefined;
}
