// SPDX-License-Identifier: Apache-2.0
// Copying an AMI, within the region or into another one: the request goes to the destination.
import type { Image } from "@aws-sdk/client-ec2";
import { Button, Checkbox, FormField, Input, Select, SpaceBetween, Textarea } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { setRegion as switchRegion } from "../session/accounts";
import { useRegions } from "../session/regions";
import { useSession } from "../session/session";
import { clearFlashes, flashSuccess } from "../shell/flash";
import { navigate } from "../shell/router";
import { copyInput } from "./copy-input";

function flashCopied(imageId: string, region: string, here: string): void {
    if (region === here) {
        flashSuccess(`${imageId} is being made`, "The list shows when it is available.");
        return;
    }
    const show = () => {
        clearFlashes();
        switchRegion(region);
        navigate(`#/images/${imageId}`);
    };
    flashSuccess(`${imageId} is being made in ${region}`, <Button onClick={show}>Show it in {region}</Button>);
}

export function CopyDialog({ image }: { image: Image }): ReactNode {
    const { client, perform } = useSession();
    const regions = useRegions();
    const [region, setRegion] = useState(client.region);
    const [name, setName] = useState(image.Name ?? "");
    const [description, setDescription] = useState(image.Description ?? "");
    const [withTags, setWithTags] = useState(false);
    const input = copyInput(image, client.region, { name, description, withTags });
    return (
        <ActionDialog
            title={`Copy ${image.ImageId ?? "AMI"}`}
            submitText="Copy AMI"
            calls={[{ operation: "CopyImage", input, region }]}
            disabled={!name}
            patterns={{ region: /region/i, description: /description/i, name: /InvalidAMIName|\bname\b/i }}
            work={async () => {
                const { ImageId } = await perform("CopyImage", input, region);
                flashCopied(ImageId ?? "The copy", region, client.region);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField
                        label="Destination region"
                        description="The copy is an AMI of its own with snapshots of its own; it is private until you share it."
                        errorText={fieldText(errorAt("region"))}
                    >
                        <Select
                            selectedOption={{
                                value: region,
                                label: region === client.region ? `${region} (this region)` : region,
                            }}
                            options={regions.map((value) => ({
                                value,
                                label: value === client.region ? `${value} (this region)` : value,
                            }))}
                            onChange={({ detail }) => setRegion(detail.selectedOption.value ?? region)}
                        />
                    </FormField>
                    <FormField label="AMI copy name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} />
                    </FormField>
                    <FormField label="AMI copy description" errorText={fieldText(errorAt("description"))}>
                        <Textarea
                            rows={2}
                            value={description}
                            onChange={({ detail }) => setDescription(detail.value)}
                        />
                    </FormField>
                    <Checkbox
                        checked={withTags}
                        description="Your own tags of the AMI; its snapshots' tags are not copied."
                        onChange={({ detail }) => setWithTags(detail.checked)}
                    >
                        Copy tags
                    </Checkbox>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
