// SPDX-License-Identifier: Apache-2.0
import { FormField, Input, SpaceBetween, Textarea } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

export function ImportKeyPairDialog(): ReactNode {
    const { perform } = useSession();
    const [name, setName] = useState("");
    const [key, setKey] = useState("");
    const input = { KeyName: name, PublicKeyMaterial: new TextEncoder().encode(key.trim()) };
    return (
        <ActionDialog
            title="Import key pair"
            submitText="Import"
            calls={[{ operation: "ImportKeyPair", input }]}
            disabled={!name || !key.trim()}
            patterns={{ key: /InvalidKey\.|public key|PublicKeyMaterial/i, name: /KeyPair|KeyName|\bname\b/i }}
            work={async () => {
                await perform("ImportKeyPair", input);
                flashSuccess(`Key pair ${name} imported`);
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <FormField label="Key pair name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
                    </FormField>
                    <FormField
                        label="Public key"
                        description="RSA or ED25519, as in ~/.ssh/id_ed25519.pub. The private key stays with you."
                        errorText={fieldText(errorAt("key"))}
                    >
                        <Textarea
                            rows={5}
                            value={key}
                            spellcheck={false}
                            placeholder="ssh-ed25519 AAAA…"
                            onChange={({ detail }) => setKey(detail.value)}
                        />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
