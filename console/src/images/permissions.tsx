// SPDX-License-Identifier: Apache-2.0
import type { Image, LaunchPermission } from "@aws-sdk/client-ec2";
import {
    Box,
    Button,
    FormField,
    Input,
    RadioGroup,
    SpaceBetween,
    StatusIndicator,
} from "@cloudscape-design/components";
import { useEffect, useState, type ReactNode } from "react";
import type { Input as CallInput } from "../api/commands";
import { asApiError, type ApiError } from "../api/errors";
import { ActionDialog } from "../forms/action-dialog";
import { ErrorAlert, fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

export interface Permissions {
    public: boolean;
    accounts: readonly string[];
}

export function permissionsOf(list: readonly LaunchPermission[]): Permissions {
    return {
        public: list.some(({ Group }) => Group === "all"),
        accounts: list.flatMap(({ UserId }) => UserId ?? []),
    };
}

/** What ModifyImageAttribute must say; undefined when nothing differs. */
export function permissionChange(
    imageId: string,
    before: Permissions,
    after: Permissions,
): CallInput<"ModifyImageAttribute"> | undefined {
    const all: LaunchPermission = { Group: "all" };
    const users = (ids: readonly string[], but: readonly string[]) =>
        ids.filter((id) => !but.includes(id)).map((UserId): LaunchPermission => ({ UserId }));
    const add = [...(after.public && !before.public ? [all] : []), ...users(after.accounts, before.accounts)];
    const remove = [...(before.public && !after.public ? [all] : []), ...users(before.accounts, after.accounts)];
    if (add.length === 0 && remove.length === 0) {
        return undefined;
    }
    return {
        ImageId: imageId,
        LaunchPermission: { ...(add.length > 0 && { Add: add }), ...(remove.length > 0 && { Remove: remove }) },
    };
}

/** The accounts with the one that stands in the field: nobody should have to press Add before Save. */
export function withTyped(accounts: readonly string[], typed: string): readonly string[] {
    const id = typed.replaceAll("-", "").trim();
    return id && !accounts.includes(id) ? [...accounts, id] : accounts;
}

interface AccountListProps {
    accounts: readonly string[];
    typed: string;
    onType(text: string): void;
    onChange(ids: readonly string[]): void;
    errorText?: string;
}

function AccountList({ accounts, typed, onType, onChange, errorText }: AccountListProps): ReactNode {
    const id = typed.trim();
    function add(): void {
        onChange(withTyped(accounts, typed));
        onType("");
    }
    return (
        <SpaceBetween size="xs">
            <FormField
                label="Shared accounts"
                description="Each may launch the image and see it under Private images."
                errorText={errorText}
                secondaryControl={
                    <Button formAction="none" onClick={add} disabled={!id}>
                        Add account
                    </Button>
                }
            >
                <Input
                    value={typed}
                    placeholder="12-digit account number"
                    onChange={({ detail }) => onType(detail.value)}
                    onKeyDown={(event) => {
                        // Enter adds the account; it does not save the dialog yet.
                        if (event.detail.key === "Enter" && id) {
                            event.preventDefault();
                            add();
                        }
                    }}
                />
            </FormField>
            {accounts.length === 0 && <Box color="text-body-secondary">Shared with no account.</Box>}
            {accounts.map((account) => (
                <SpaceBetween key={account} direction="horizontal" size="xs" alignItems="center">
                    <Box>{account}</Box>
                    <Button
                        formAction="none"
                        variant="icon"
                        iconName="remove"
                        ariaLabel={`Remove account ${account}`}
                        onClick={() => onChange(accounts.filter((other) => other !== account))}
                    />
                </SpaceBetween>
            ))}
        </SpaceBetween>
    );
}

export function PermissionsDialog({ image }: { image: Image }): ReactNode {
    const { client, perform } = useSession();
    const imageId = image.ImageId ?? "";
    const [before, setBefore] = useState<Permissions>();
    const [after, setAfter] = useState<Permissions>({ public: false, accounts: [] });
    const [typed, setTyped] = useState("");
    const [failure, setFailure] = useState<ApiError>();

    useEffect(() => {
        client.call("DescribeImageAttribute", { ImageId: imageId, Attribute: "launchPermission" }).then(
            ({ LaunchPermissions }) => {
                const now = permissionsOf(LaunchPermissions ?? []);
                setBefore(now);
                setAfter(now);
            },
            (error: unknown) => setFailure(asApiError(error)),
        );
    }, [client, imageId]);

    const wanted = { ...after, accounts: withTyped(after.accounts, typed) };
    const input = before && permissionChange(imageId, before, wanted);
    return (
        <ActionDialog
            title={`Permissions of ${imageId}`}
            submitText="Save changes"
            calls={input ? [{ operation: "ModifyImageAttribute", input }] : []}
            disabled={!input}
            patterns={{ accounts: /AttributeItemValue|account|user/i }}
            work={async () => {
                if (input) {
                    await perform("ModifyImageAttribute", input);
                    flashSuccess(`Permissions of ${imageId} saved`);
                }
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    <ErrorAlert error={failure} />
                    {!before && !failure && <StatusIndicator type="loading">Loading permissions</StatusIndicator>}
                    <FormField label="Availability">
                        <RadioGroup
                            value={after.public ? "public" : "private"}
                            onChange={({ detail }) => setAfter({ ...after, public: detail.value === "public" })}
                            items={[
                                {
                                    value: "private",
                                    label: "Private",
                                    description: "Only you and the accounts below may launch it.",
                                    disabled: !before,
                                },
                                {
                                    value: "public",
                                    label: "Public",
                                    description:
                                        "Every account of this server may launch it. Make sure it holds no keys or passwords.",
                                    disabled: !before,
                                },
                            ]}
                        />
                    </FormField>
                    <AccountList
                        accounts={after.accounts}
                        typed={typed}
                        onType={setTyped}
                        onChange={(accounts) => setAfter({ ...after, accounts })}
                        errorText={fieldText(errorAt("accounts"))}
                    />
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
