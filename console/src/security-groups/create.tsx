// SPDX-License-Identifier: Apache-2.0
import { FormField, Input, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";
import { navigate } from "../shell/router";

export function CreateSecurityGroupDialog(): ReactNode {
    const { perform } = useSession();
    const [name, setName] = useState("");
    const [description, setDescription] = useState("");
    const input = { GroupName: name, Description: description };
    return (
        <ActionDialog
            title="Create security group"
            submitText="Create"
            calls={[{ operation: "CreateSecurityGroup", input }]}
            disabled={!name || !description}
            patterns={{ description: /description/i, name: /InvalidGroup|GroupName|\bname\b/i }}
            work={async () => {
                const { GroupId } = await perform("CreateSecurityGroup", input);
                flashSuccess(`Security group ${name} created`, "It lets nobody in yet. Add inbound rules.");
                navigate(`#/security-groups/${GroupId ?? ""}`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField label="Group name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
                    </FormField>
                    <FormField label="Description" errorText={fieldText(errorAt("description"))}>
                        <Input value={description} onChange={({ detail }) => setDescription(detail.value)} />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
