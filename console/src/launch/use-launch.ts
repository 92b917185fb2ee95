// SPDX-License-Identifier: Apache-2.0
import { useCallback } from "react";
import { asApiError } from "../api/errors";
import { useSession } from "../session/session";
import { groupInput, ruleInput, runInput, type Draft } from "./draft";

/**
 * Launches a draft and answers the instances' ids. A dry run comes first, so that mistakes appear before a security group
 * is made. A launch that fails after its group was made leaves the group chosen, so that the next try uses it.
 */
export function useLaunch(): (draft: Draft, change: (to: Partial<Draft>) => void) => Promise<string[]> {
    const { client, perform } = useSession();
    const makeGroup = useCallback(
        async (draft: Draft): Promise<string> => {
            const { GroupId } = await perform("CreateSecurityGroup", groupInput(draft));
            const rule = ruleInput(draft);
            if (rule) {
                await perform("AuthorizeSecurityGroupIngress", rule).catch(async (failure: unknown) => {
                    // A group without its rule is not what was asked for: the next try begins anew.
                    await perform("DeleteSecurityGroup", { GroupId });
                    throw failure;
                });
            }
            return GroupId ?? "";
        },
        [perform],
    );
    return useCallback(
        async (draft, change) => {
            // The group that is not there yet is left out of the rehearsal.
            const rehearsed = runInput({ ...draft, newGroup: false, groupIds: draft.newGroup ? [] : draft.groupIds });
            await client.call("RunInstances", { ...rehearsed, DryRun: true }).catch((failure: unknown) => {
                const error = asApiError(failure);
                if (error.code !== "DryRunOperation") {
                    throw error;
                }
            });
            let groupId: string | undefined;
            if (draft.newGroup) {
                groupId = await makeGroup(draft);
                change({ newGroup: false, groupIds: [groupId] });
            }
            const { Instances } = await perform("RunInstances", runInput(draft, groupId));
            return (Instances ?? []).map(({ InstanceId }) => InstanceId ?? "");
        },
        [client, makeGroup, perform],
    );
}
