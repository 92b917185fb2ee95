// SPDX-License-Identifier: Apache-2.0
import type { KeyPairInfo } from "@aws-sdk/client-ec2";
import { SpaceBetween, Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Call } from "../cli/show";
import { CommandLine } from "../cli/show";
import { confirm } from "../forms/confirm";
import { manageTags } from "../forms/tags-dialog";
import { Facts, TagTable, time } from "../list/display";
import type { Action, Resource } from "../list/resource";
import { openDialog } from "../shell/dialogs";
import { CreateKeyPairDialog } from "./create";

const keyPairActions: readonly Action<KeyPairInfo>[] = [
    manageTags(() => kKeyPairs),
    {
        id: "delete",
        text: "Delete key pair",
        operation: "DeleteKeyPair",
        takes: "some",
        run: (pairs) =>
            confirm({
                title: "Delete key pair",
                text: "Running instances keep the key they were launched with.",
                subjects: pairs.map(({ KeyName }) => KeyName ?? ""),
                submitText: "Delete",
                calls: pairs.map(({ KeyPairId }): Call => ({ operation: "DeleteKeyPair", input: { KeyPairId } })),
                done: `Deleted: ${pairs.map(({ KeyName }) => KeyName).join(", ")}`,
            }),
    },
];

function KeyPairDetails({ item }: { item: KeyPairInfo }): ReactNode {
    return (
        <Tabs
            ariaLabel="Details of the key pair"
            tabs={[
                {
                    id: "details",
                    label: "Details",
                    content: (
                        <SpaceBetween size="m">
                            <Facts
                                facts={[
                                    ["Name", item.KeyName],
                                    ["Key pair ID", item.KeyPairId],
                                    ["Type", item.KeyType],
                                    ["Created", time(item.CreateTime)],
                                    ["Fingerprint", item.KeyFingerprint],
                                ]}
                            />
                            {item.PublicKey && <CommandLine line={item.PublicKey.trim()} />}
                        </SpaceBetween>
                    ),
                },
                { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
            ]}
        />
    );
}

export const kKeyPairs: Resource<KeyPairInfo> = {
    route: "key-pairs",
    singular: "key pair",
    plural: "key pairs",
    source: {
        idFilter: "key-pair-id",
        searchFilters: ["key-name", "key-pair-id", "fingerprint", "tag-value"],
        id: (pair) => pair.KeyPairId ?? "",
        // EC2 has no pages of key pairs.
        async page(client, { Filters }) {
            const { KeyPairs } = await client.call("DescribeKeyPairs", { Filters, IncludePublicKey: true });
            return { items: KeyPairs ?? [] };
        },
    },
    tags: (pair) => pair.Tags,
    sortedBy: "name",
    columns: [
        { id: "name", header: "Name", cell: ({ KeyName }) => KeyName, sortBy: ({ KeyName }) => KeyName, width: 220 },
        { id: "type", header: "Type", cell: ({ KeyType }) => KeyType, sortBy: ({ KeyType }) => KeyType, width: 110 },
        {
            id: "created",
            header: "Created",
            cell: ({ CreateTime }) => time(CreateTime),
            sortBy: ({ CreateTime }) => CreateTime?.getTime(),
            width: 180,
        },
        { id: "fingerprint", header: "Fingerprint", cell: ({ KeyFingerprint }) => KeyFingerprint, width: 430 },
        {
            id: "id",
            header: "Key pair ID",
            cell: ({ KeyPairId }) => KeyPairId,
            sortBy: ({ KeyPairId }) => KeyPairId,
            width: 220,
        },
    ],
    properties: [
        { key: "key-name", label: "Name" },
        { key: "key-pair-id", label: "Key pair ID" },
        { key: "fingerprint", label: "Fingerprint" },
        { key: "tag-key", label: "Tag key" },
    ],
    actions: keyPairActions,
    empty: {
        title: "No key pairs",
        hint: "A key pair lets you log in to instances over ssh.",
        action: { text: "Create key pair", run: () => openDialog(<CreateKeyPairDialog />) },
    },
    Details: KeyPairDetails,
};
