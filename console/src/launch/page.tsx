// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import {
    Box,
    Container,
    ExpandableSection,
    FormField,
    Grid,
    Header,
    Input,
    Link,
    SpaceBetween,
} from "@cloudscape-design/components";
import { useCallback, useState, type ReactNode } from "react";
import { fieldOf } from "../api/errors";
import type { Call } from "../cli/show";
import { fieldText } from "../forms/error-alert";
import { FormPage } from "../forms/form-page";
import { rowOf } from "../forms/storage";
import { StorageTable } from "../forms/storage-table";
import { TagEditor } from "../forms/tag-editor";
import { useSubmit } from "../forms/use-submit";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";
import { follow, navigate, useRoute } from "../shell/router";
import { AdvancedSection } from "./advanced-section";
import { emptyDraft, groupInput, ruleInput, runInput, type Draft } from "./draft";
import { ImageSection } from "./image-section";
import { KeySection } from "./key-section";
import { NetworkSection } from "./network-section";
import { noteRecent } from "./recent";
import { Summary } from "./summary";
import { TypeSection } from "./type-section";
import { useLaunch } from "./use-launch";

const kPatterns = {
    userData: /user ?data/i,
    key: /KeyPair|KeyName|key pair/i,
    network: /subnet|security ?group|InvalidGroup|InvalidPermission|CIDR/i,
    storage: /BlockDevice|volume|snapshot|\biops\b|device/i,
    type: /instance ?type|\bENA\b|architecture|virtualization|boot mode/i,
    image: /\bAMI|image/i,
    count: /MinCount|MaxCount|capacity|instances? count/i,
    tags: /\btags?\b/i,
};

function callsOf(draft: Draft): Call[] {
    const rule = ruleInput(draft);
    const group: Call[] = draft.newGroup
        ? [
              { operation: "CreateSecurityGroup", input: groupInput(draft) },
              ...(rule ? [{ operation: "AuthorizeSecurityGroupIngress", input: rule } as const] : []),
          ]
        : [];
    return [...group, { operation: "RunInstances", input: runInput(draft) }];
}

function flashLaunched(ids: readonly string[]): void {
    flashSuccess(
        <>
            Launched{" "}
            {ids.map((id) => (
                <Link key={id} color="inverted" href={`#/instances/${id}`} onFollow={follow}>
                    {id}{" "}
                </Link>
            ))}
        </>,
    );
}

export default function LaunchPage(): ReactNode {
    const { account } = useSession();
    const { query } = useRoute();
    const [draft, setDraft] = useState(() => emptyDraft(Math.floor(Date.now() / 1000)));
    const change = useCallback((to: Partial<Draft>) => setDraft((before) => ({ ...before, ...to })), []);
    const launch = useLaunch();

    const chooseImage = useCallback(
        (image: Image | undefined) => {
            const rows = (image?.BlockDeviceMappings ?? [])
                .filter(({ Ebs }) => Ebs)
                .map((mapping) => rowOf(mapping, image?.RootDeviceName));
            change({ image, rows, imageRows: rows });
        },
        [change],
    );

    const { busy, error, submit } = useSubmit(async () => {
        const ids = await launch(draft, change);
        noteRecent(account.accountId, account.region, draft.image?.ImageId ?? "");
        flashLaunched(ids);
        navigate("#/instances");
    });
    const field = fieldOf(error, kPatterns);
    const errorAt = (at: keyof typeof kPatterns) => (field === at ? fieldText(error) : undefined);
    const original = new Set(draft.imageRows.map(({ key }) => key));

    return (
        <FormPage
            title="Launch instance"
            crumbs={[{ text: "Instances", href: "#/instances" }]}
            description="A machine of an image, running within seconds. Everything is checked before anything is made."
            error={error}
            errorAtField={field !== undefined}
            busy={busy}
            disabled={!draft.image}
            submitText="Launch instance"
            onSubmit={submit}
            withoutButtons
            calls={callsOf(draft)}
        >
            <Grid gridDefinition={[{ colspan: { default: 12, m: 9 } }, { colspan: { default: 12, m: 3 } }]}>
                <SpaceBetween size="l">
                    <Container header={<Header variant="h2">Name and tags</Header>}>
                        <SpaceBetween size="s">
                            <FormField label="Name" errorText={errorAt("tags")}>
                                <Input
                                    value={draft.name}
                                    placeholder="My web server"
                                    onChange={({ detail }) => change({ name: detail.value })}
                                />
                            </FormField>
                            <ExpandableSection headerText="More tags">
                                <TagEditor tags={draft.tags} onChange={(tags) => change({ tags })} />
                            </ExpandableSection>
                        </SpaceBetween>
                    </Container>
                    <ImageSection
                        image={draft.image}
                        wanted={query.get("image") ?? ""}
                        onChange={chooseImage}
                        errorText={errorAt("image")}
                    />
                    <TypeSection
                        image={draft.image}
                        value={draft.instanceType}
                        onChange={(instanceType) => change({ instanceType })}
                        errorText={errorAt("type")}
                    />
                    <KeySection
                        value={draft.keyName}
                        onChange={(keyName) => change({ keyName })}
                        errorText={errorAt("key")}
                    />
                    <NetworkSection draft={draft} onChange={change} errorText={errorAt("network")} />
                    <Container header={<Header variant="h2">Storage</Header>}>
                        {draft.image ? (
                            <FormField stretch errorText={errorAt("storage")}>
                                <StorageTable
                                    rows={draft.rows}
                                    onChange={(rows) => change({ rows })}
                                    editable
                                    original={original}
                                />
                            </FormField>
                        ) : (
                            <Box color="text-body-secondary">Choose an image first; its volumes appear here.</Box>
                        )}
                    </Container>
                    <AdvancedSection draft={draft} onChange={change} errorText={errorAt("userData")} />
                </SpaceBetween>
                <Summary draft={draft} onChange={change} errorText={errorAt("count")} busy={busy} />
            </Grid>
        </FormPage>
    );
}
