// SPDX-License-Identifier: Apache-2.0
import { Button, Container, FormField, Header, Select } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Client } from "../api/client";
import { CreateKeyPairDialog } from "../key-pairs/create";
import { useAnswer } from "../session/use-answer";
import { openDialog } from "../shell/dialogs";

const keyPairs = async (client: Client) => (await client.call("DescribeKeyPairs", {})).KeyPairs ?? [];

const kNone = { value: "", label: "Proceed without a key pair" };

interface KeySectionProps {
    value: string;
    onChange(name: string): void;
    errorText?: string;
}

export function KeySection({ value, onChange, errorText }: KeySectionProps): ReactNode {
    const { value: pairs, loading, error, reload } = useAnswer(keyPairs);
    function created(name: string): void {
        reload();
        onChange(name);
    }
    return (
        <Container
            header={
                <Header variant="h2" description="Lets you log in over ssh.">
                    Key pair
                </Header>
            }
        >
            <FormField
                label="Key pair"
                errorText={errorText}
                secondaryControl={
                    <Button formAction="none" onClick={() => openDialog(<CreateKeyPairDialog onCreated={created} />)}>
                        Create key pair
                    </Button>
                }
            >
                <Select
                    selectedOption={value ? { value } : kNone}
                    options={[
                        kNone,
                        ...(pairs ?? []).map(({ KeyName, KeyType }) => ({
                            value: KeyName ?? "",
                            description: KeyType,
                        })),
                    ]}
                    filteringType="auto"
                    statusType={loading ? "loading" : error ? "error" : "finished"}
                    errorText={error?.message}
                    onChange={({ detail }) => onChange(detail.selectedOption.value ?? "")}
                />
            </FormField>
        </Container>
    );
}
