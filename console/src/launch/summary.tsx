// SPDX-License-Identifier: Apache-2.0
import { Container, FormField, Header, Input, KeyValuePairs, SpaceBetween } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { FormButtons } from "../forms/form-page";
import type { Draft } from "./draft";

interface SummaryProps {
    draft: Draft;
    onChange(change: Partial<Draft>): void;
    errorText?: string;
    busy: boolean;
}

function firewall(draft: Draft): string {
    if (draft.newGroup) {
        return `New group ${draft.groupName}`;
    }
    return draft.groupIds.length > 0 ? draft.groupIds.join(", ") : "default";
}

export function Summary({ draft, onChange, errorText, busy }: SummaryProps): ReactNode {
    const total = draft.rows.reduce((sum, { size }) => sum + Number(size || 0), 0);
    return (
        <div className="summary">
            <Container header={<Header variant="h2">Summary</Header>}>
                <SpaceBetween size="m">
                    <FormField label="Number of instances" errorText={errorText}>
                        <Input
                            type="number"
                            inputMode="numeric"
                            value={draft.count}
                            onChange={({ detail }) => onChange({ count: detail.value })}
                        />
                    </FormField>
                    <KeyValuePairs
                        items={[
                            {
                                label: "Image",
                                value: draft.image
                                    ? `${draft.image.Name ?? ""} (${draft.image.ImageId ?? ""})`
                                    : "Not chosen yet",
                            },
                            { label: "Instance type", value: draft.instanceType },
                            { label: "Key pair", value: draft.keyName || "None: no log-in over ssh" },
                            { label: "Firewall", value: firewall(draft) },
                            {
                                label: "Storage",
                                value: `${draft.rows.length} volume${draft.rows.length === 1 ? "" : "s"}, ${total} GiB`,
                            },
                        ]}
                    />
                    <FormButtons
                        stacked
                        back="#/instances"
                        busy={busy}
                        disabled={!draft.image}
                        submitText="Launch instance"
                    />
                </SpaceBetween>
            </Container>
        </div>
    );
}
