// SPDX-License-Identifier: Apache-2.0
// The smaller dialogs of AMIs: description, deprecation.
import type { Image } from "@aws-sdk/client-ec2";
import { DatePicker, FormField, Textarea } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

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
