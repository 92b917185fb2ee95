// SPDX-License-Identifier: Apache-2.0
import { Box, FormField, Input, RadioGroup, SpaceBetween } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

type KeyType = "rsa" | "ed25519";
type KeyFormat = "pem" | "ppk";

/** Hands the browser a text to save. */
function download(name: string, text: string): void {
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-pem-file" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    URL.revokeObjectURL(url);
}

export function CreateKeyPairDialog({ onCreated }: { onCreated?: (name: string) => void }): ReactNode {
    const { perform } = useSession();
    const [name, setName] = useState("");
    const [type, setType] = useState<KeyType>("ed25519");
    const [format, setFormat] = useState<KeyFormat>("pem");
    const input = { KeyName: name, KeyType: type, KeyFormat: format };
    return (
        <ActionDialog
            title="Create key pair"
            submitText="Create and download"
            calls={[{ operation: "CreateKeyPair", input }]}
            disabled={!name}
            patterns={{ name: /KeyPair|KeyName|\bname\b/i }}
            work={async () => {
                const { KeyMaterial } = await perform("CreateKeyPair", input);
                download(`${name}.${format}`, KeyMaterial ?? "");
                flashSuccess(
                    `Key pair ${name} created`,
                    `Keep ${name}.${format} safe: the server does not have the private key. Before its first use: chmod 600 ${name}.${format}`,
                );
                onCreated?.(name);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <Box>The private key is downloaded now, once.</Box>
                    <FormField label="Key pair name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
                    </FormField>
                    <FormField label="Type">
                        <RadioGroup
                            value={type}
                            onChange={({ detail }) => setType(detail.value as KeyType)}
                            items={[
                                { value: "ed25519", label: "ED25519" },
                                {
                                    value: "rsa",
                                    label: "RSA",
                                    description: "2048 bits, for guests and clients that are older.",
                                },
                            ]}
                        />
                    </FormField>
                    <FormField label="Private key file format">
                        <RadioGroup
                            value={format}
                            onChange={({ detail }) => setFormat(detail.value as KeyFormat)}
                            items={[
                                { value: "pem", label: ".pem", description: "For OpenSSH." },
                                { value: "ppk", label: ".ppk", description: "For PuTTY." },
                            ]}
                        />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
