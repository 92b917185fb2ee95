// SPDX-License-Identifier: Apache-2.0
// Signing in with an access key, or with the one-time link that `kiln serve` prints.
import {
    Alert,
    Box,
    Button,
    Checkbox,
    Container,
    Form,
    FormField,
    Header,
    Input,
    SpaceBetween,
    StatusIndicator,
} from "@cloudscape-design/components";
import { useEffect, useRef, useState, type FormEvent, type ReactNode } from "react";
import { Client } from "../api/client";
import { ApiError, asApiError } from "../api/errors";
import { navigate, useRoute } from "../shell/router";
import { accounts, signIn, switchTo, type Account } from "./accounts";

// The region of the last sign-in on this computer: a server of one's own may have other regions than Amazon's.
const kRegionKey = "kiln.region";
const kDefaultRegion = "us-east-1";

interface HandedOver {
    accessKeyId: string;
    secretAccessKey: string;
    region: string;
}

async function accountOf(given: HandedOver, remembered: boolean): Promise<Account> {
    const keys = { accessKeyId: given.accessKeyId, secretAccessKey: given.secretAccessKey };
    const identity = await new Client(keys, given.region).identity();
    return { ...keys, ...identity, region: given.region, remembered };
}

/** Exchanges the token of a one-time link; it works once. */
async function redeem(token: string): Promise<HandedOver> {
    const answer = await fetch("/console/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token }),
    });
    if (!answer.ok) {
        throw new ApiError("LinkExpired", "This sign-in link was used already or has expired. Enter your access key.");
    }
    return (await answer.json()) as HandedOver;
}

function leaveLink(): void {
    if (window.location.hash.startsWith("#/session/")) {
        navigate("#/instances");
    }
}

function Page({ children }: { children: ReactNode }): ReactNode {
    return (
        <main className="sign-in">
            <SpaceBetween size="l">
                <Box textAlign="center">
                    <img src="./icon.svg" alt="" width="48" height="48" />
                    <Box variant="h1">Kiln</Box>
                    <Box color="text-body-secondary">Machine images you run yourself</Box>
                </Box>
                {children}
            </SpaceBetween>
        </main>
    );
}

function LinkSignIn({ token, onFailure }: { token: string; onFailure(error: ApiError): void }): ReactNode {
    const started = useRef(false);
    useEffect(() => {
        // The token works once: development mode's double effects must not spend it twice.
        if (started.current) {
            return;
        }
        started.current = true;
        redeem(token)
            .then((given) => accountOf(given, false))
            .then(
                (account) => {
                    signIn(account);
                    leaveLink();
                },
                (failure: unknown) => onFailure(asApiError(failure)),
            );
    }, [token, onFailure]);
    return (
        <Box textAlign="center">
            <StatusIndicator type="loading">Signing in</StatusIndicator>
        </Box>
    );
}

function KeyForm({ first }: { first?: ApiError }): ReactNode {
    const [accessKeyId, setAccessKeyId] = useState("");
    const [secretAccessKey, setSecretAccessKey] = useState("");
    const [region, setRegion] = useState(() => localStorage.getItem(kRegionKey) ?? kDefaultRegion);
    const [remember, setRemember] = useState(false);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(first);

    async function submit(event: FormEvent): Promise<void> {
        event.preventDefault();
        setBusy(true);
        try {
            const given = {
                accessKeyId: accessKeyId.trim(),
                secretAccessKey: secretAccessKey.trim(),
                region: region.trim(),
            };
            signIn(await accountOf(given, remember));
            localStorage.setItem(kRegionKey, region.trim());
            leaveLink();
        } catch (failure) {
            setError(asApiError(failure));
            setBusy(false);
        }
    }

    return (
        <form onSubmit={(event) => void submit(event)}>
            <Form
                actions={
                    <Button
                        variant="primary"
                        loading={busy}
                        disabled={!accessKeyId.trim() || !secretAccessKey.trim() || !region.trim()}
                    >
                        Sign in
                    </Button>
                }
            >
                <Container header={<Header variant="h2">Sign in with an access key</Header>}>
                    <SpaceBetween size="m">
                        {error && (
                            <Alert type="error" header={error.code}>
                                {error.message}
                            </Alert>
                        )}
                        <FormField
                            label="Access key ID"
                            description="Shown by kiln env, or given to you by the administrator."
                        >
                            <Input
                                value={accessKeyId}
                                onChange={({ detail }) => setAccessKeyId(detail.value)}
                                placeholder="AKIA…"
                                autoFocus
                                autoComplete="username"
                                spellcheck={false}
                            />
                        </FormField>
                        <FormField label="Secret access key">
                            <Input
                                type="password"
                                value={secretAccessKey}
                                onChange={({ detail }) => setSecretAccessKey(detail.value)}
                                autoComplete="current-password"
                            />
                        </FormField>
                        <FormField label="Region" description="You can switch later.">
                            <Input
                                value={region}
                                onChange={({ detail }) => setRegion(detail.value)}
                                spellcheck={false}
                            />
                        </FormField>
                        <Checkbox
                            checked={remember}
                            onChange={({ detail }) => setRemember(detail.checked)}
                            description="Otherwise the keys are forgotten when this tab closes."
                        >
                            Remember on this computer
                        </Checkbox>
                    </SpaceBetween>
                </Container>
            </Form>
        </form>
    );
}

function KnownAccounts(): ReactNode {
    const { all } = accounts.get();
    if (all.length === 0) {
        return null;
    }
    return (
        <Container header={<Header variant="h2">Signed-in accounts</Header>}>
            <SpaceBetween size="xs">
                {all.map((account) => (
                    <Button
                        key={account.accessKeyId}
                        fullWidth
                        onClick={() => {
                            switchTo(account.accessKeyId);
                            leaveLink();
                        }}
                    >
                        {account.accountId} ({account.accessKeyId})
                    </Button>
                ))}
            </SpaceBetween>
        </Container>
    );
}

export function SignIn(): ReactNode {
    const { path } = useRoute();
    const [failure, setFailure] = useState<ApiError>();
    const token = path[0] === "session" ? path[1] : undefined;
    return (
        <Page>
            {token && !failure ? (
                <LinkSignIn token={token} onFailure={setFailure} />
            ) : (
                <>
                    <KnownAccounts />
                    <KeyForm first={failure} />
                </>
            )}
        </Page>
    );
}
