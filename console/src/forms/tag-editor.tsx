// SPDX-License-Identifier: Apache-2.0
import { AttributeEditor, Box, Input } from "@cloudscape-design/components";
import type { Tag } from "@aws-sdk/client-ec2";
import type { ReactNode } from "react";

// EC2's limit of tags per resource.
const kMostTags = 50;

export function TagEditor({ tags, onChange }: { tags: readonly Tag[]; onChange(tags: Tag[]): void }): ReactNode {
    const put = (index: number, change: Tag) =>
        onChange(tags.map((tag, at) => (at === index ? { ...tag, ...change } : tag)));
    return (
        <AttributeEditor<Tag>
            items={tags}
            onAddButtonClick={() => onChange([...tags, { Key: "", Value: "" }])}
            onRemoveButtonClick={({ detail }) => onChange(tags.filter((_, at) => at !== detail.itemIndex))}
            addButtonText="Add tag"
            removeButtonText="Remove"
            removeButtonAriaLabel={(tag) => `Remove tag ${tag.Key}`}
            disableAddButton={tags.length >= kMostTags}
            empty={<Box color="text-body-secondary">No tags.</Box>}
            definition={[
                {
                    label: "Key",
                    control: ({ Key }, index) => (
                        <Input
                            value={Key ?? ""}
                            placeholder="Name"
                            onChange={({ detail }) => put(index, { Key: detail.value })}
                        />
                    ),
                },
                {
                    label: "Value",
                    control: ({ Value }, index) => (
                        <Input value={Value ?? ""} onChange={({ detail }) => put(index, { Value: detail.value })} />
                    ),
                },
            ]}
        />
    );
}

/** What a request takes: the tags with a key, for each of the types; undefined when there is none. */
export function tagSpecifications<R extends string>(
    tags: readonly Tag[],
    ...types: readonly R[]
): { ResourceType: R; Tags: Tag[] }[] | undefined {
    const named = tags.filter(({ Key }) => Key);
    return named.length > 0 ? types.map((ResourceType) => ({ ResourceType, Tags: named })) : undefined;
}
