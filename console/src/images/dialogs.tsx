// SPDX-License-Identifier: Apache-2.0
// The smaller dialogs of AMIs: copy, description, deprecation.
import type { Image } from "@aws-sdk/client-ec2";
import { DatePicker, FormField, Input, Select, SpaceBetween, Textarea } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useRegions } from "../session/regions";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

export function CopyDialog({ image }: { image: Image }): ReactNode {
    const { client, perform } = useSession();
    const regions = useRegions();
    const [region, setRegion] = useState(client.region);
    const [name, setName] = useState(image.Name ?? "");
    const [description, setDescription] = useState(image.Description ?? "");
    const input = {
        SourceRegion: client.region,
        SourceImageId: image.ImageId ?? "",
        Name: name,
        Description: description || undefined,
    };
    return (
        <ActionDialog
            title={`Copy ${image.ImageId ?? "AMI"}`}
            submitText="Copy AMI"
            calls={[{ operation: "CopyImage", input, region }]}
            disabled={!name}
            patterns={{ name: /InvalidAMIName|\bname\b/i, region: /region/i }}
            work={async () => {
                const { ImageId } = await perform("CopyImage", input, region);
                flashSuccess(`${ImageId ?? "The copy"} is being made in ${region}`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField label="Destination region" errorText={fieldText(errorAt("region"))}>
                        <Select
                            selectedOption={{ value: region }}
                            options={regions.map((value) => ({ value }))}
                            onChange={({ detail }) => setRegion(detail.selectedOption.value ?? region)}
                        />
                    </FormField>
                    <FormField label="AMI copy name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} />
                    </FormField>
                    <FormField label="AMI copy description">
                        <Textarea
                            rows={2}
                            value={description}
                            onChange={({ detail }) => setDescription(detail.value)}
                        />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}

export function DescriptionDialog({ image }: { image: Image }): ReactNode {
    const { perform } = useSession();
    const [description, setDescription] = useState(image.Description ?? "");
    const input = { ImageId: image.ImageId ?? "", Description: { Value: description } };
    return (
        <ActionDialog
            title={`Description of ${image.ImageId ?? "AMI"}`}
            submitText="Save"
            calls={[{ operation: "ModifyImageAttribute", input }]}
            work={async () => {
                await perform("ModifyImageAttribute", input);
                flashSuccess(`Description of ${input.ImageId} saved`);
            }}
        >
            <FormField label="Description">
                <Textarea
                    rows={3}
                    value={description}
                    onChange={({ detail }) => setDescription(detail.value)}
                    autoFocus
                />
            </FormField>
        </ActionDialog>
    );
}

export function DeprecationDialog({ image }: { image: Image }): ReactNode {
    const { perform } = useSession();
    const [day, setDay] = useState(image.DeprecationTime?.slice(0, 10) ?? "");
    const ImageId = image.ImageId ?? "";
    const input = { ImageId, DeprecateAt: day ? new Date(`${day}T00:00:00Z`) : undefined };
    const off = !day;
    return (
        <ActionDialog
            title={`Deprecation of ${ImageId}`}
            submitText="Save"
            calls={
                off
                    ? [{ operation: "DisableImageDeprecation", input: { ImageId } }]
                    : [{ operation: "EnableImageDeprecation", input }]
            }
            patterns={{ day: /DeprecateAt|deprecat/i }}
            work={async () => {
                if (off) {
                    await perform("DisableImageDeprecation", { ImageId });
                } else {
                    await perform("EnableImageDeprecation", input);
                }
                flashSuccess(off ? `${ImageId} is not deprecated any more` : `${ImageId} is deprecated from ${day} on`);
            }}
        >
            {(errorAt) => (
                <FormField
                    label="Deprecated from"
                    description="From that day on others no longer see it in lists; by its ID it can be launched as before."
                    constraintText="00:00 UTC. Empty: never."
                    errorText={fieldText(errorAt("day"))}
                >
                    <DatePicker
                        value={day}
                        onChange={({ detail }) => setDay(detail.value)}
                        placeholder="YYYY/MM/DD"
                        openCalendarAriaLabel={() => "Choose a date"}
                    />
                </FormField>
            )}
        </ActionDialog>
    );
}
