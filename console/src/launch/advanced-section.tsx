// SPDX-License-Identifier: Apache-2.0
import {
    Checkbox,
    ExpandableSection,
    FormField,
    Input,
    Select,
    SpaceBetween,
    Textarea,
} from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Draft } from "./draft";

const kBehaviors = [
    { value: "stop", label: "Stop" },
    { value: "terminate", label: "Terminate" },
] as const;

interface AdvancedSectionProps {
    draft: Draft;
    onChange(change: Partial<Draft>): void;
    errorText?: string;
}

export function AdvancedSection({ draft, onChange, errorText }: AdvancedSectionProps): ReactNode {
    return (
        <ExpandableSection
            variant="container"
            headerText="Advanced details"
            headerDescription="User data, metadata, protection"
            defaultExpanded={false}
        >
            <SpaceBetween size="m">
                <FormField
                    label="User data"
                    description="Read by cloud-init at the first start: a script that begins with #!, or #cloud-config."
                    constraintText={`${new TextEncoder().encode(draft.userData).length.toLocaleString("en")} of 16,384 bytes`}
                    errorText={errorText}
                >
                    <Textarea
                        rows={6}
                        spellcheck={false}
                        value={draft.userData}
                        onChange={({ detail }) => onChange({ userData: detail.value })}
                    />
                </FormField>
                <FormField label="Instance metadata">
                    <SpaceBetween size="xs">
                        <Checkbox
                            checked={draft.metadataEnabled}
                            onChange={({ detail }) => onChange({ metadataEnabled: detail.checked })}
                        >
                            The guest may read its metadata
                        </Checkbox>
                        <Checkbox
                            checked={draft.tokensRequired}
                            disabled={!draft.metadataEnabled}
                            description="Session tokens (IMDSv2) only. Very old guests need this off."
                            onChange={({ detail }) => onChange({ tokensRequired: detail.checked })}
                        >
                            Require tokens
                        </Checkbox>
                        <Checkbox
                            checked={draft.metadataTags}
                            disabled={!draft.metadataEnabled}
                            onChange={({ detail }) => onChange({ metadataTags: detail.checked })}
                        >
                            Show the instance's tags in its metadata
                        </Checkbox>
                    </SpaceBetween>
                </FormField>
                <FormField
                    label="Metadata response hop limit"
                    constraintText="1 to 64. Containers in the guest need 2."
                >
                    <Input
                        type="number"
                        value={draft.hopLimit}
                        disabled={!draft.metadataEnabled}
                        onChange={({ detail }) => onChange({ hopLimit: detail.value })}
                    />
                </FormField>
                <FormField label="When the guest shuts itself down">
                    <Select
                        selectedOption={
                            kBehaviors.find(({ value }) => value === draft.shutdownBehavior) ?? kBehaviors[0]
                        }
                        options={kBehaviors}
                        onChange={({ detail }) =>
                            onChange({ shutdownBehavior: detail.selectedOption.value as Draft["shutdownBehavior"] })
                        }
                    />
                </FormField>
                <Checkbox
                    checked={draft.terminationProtection}
                    onChange={({ detail }) => onChange({ terminationProtection: detail.checked })}
                >
                    Termination protection
                </Checkbox>
            </SpaceBetween>
        </ExpandableSection>
    );
}
