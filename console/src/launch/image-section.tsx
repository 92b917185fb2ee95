// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import {
    Container,
    FormField,
    Header,
    Input,
    SegmentedControl,
    Select,
    SpaceBetween,
} from "@cloudscape-design/components";
import { useCallback, useEffect, useState, type ReactNode } from "react";
import type { Client } from "../api/client";
import { BootWarnings, useInspection } from "../disks/inspection";
import { time } from "../list/display";
import { useSession } from "../session/session";
import { useAnswer } from "../session/use-answer";
import { recentImages } from "./recent";

type From = "recent" | "self" | "shared" | "public" | "id";

const kSources: readonly { id: From; text: string }[] = [
    { id: "recent", text: "Recent" },
    { id: "self", text: "Owned by me" },
    { id: "shared", text: "Shared with me" },
    { id: "public", text: "Public" },
    { id: "id", text: "By ID" },
];

// What a drop-down can usefully hold; typing narrows it on the server.
const kMostOffered = 100;

async function find(client: Client, from: From, text: string, recent: readonly string[]): Promise<Image[]> {
    const named = text ? [{ Name: "name", Values: [`*${text}*`] }] : [];
    if (from === "id") {
        return [];
    }
    if (from === "recent") {
        if (recent.length === 0) {
            return [];
        }
        const { Images } = await client.call("DescribeImages", {
            Filters: [{ Name: "image-id", Values: [...recent] }, ...named],
        });
        return (Images ?? []).sort((a, b) => recent.indexOf(a.ImageId ?? "") - recent.indexOf(b.ImageId ?? ""));
    }
    const whose = from === "self" ? { Owners: ["self"] } : { ExecutableUsers: [from === "public" ? "all" : "self"] };
    const Filters = [{ Name: "state", Values: ["available"] }, ...named];
    const { Images } = await client.call("DescribeImages", { ...whose, Filters, MaxResults: kMostOffered });
    return (Images ?? []).sort((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
}

function optionOf(image: Image) {
    return {
        value: image.ImageId,
        label: image.Name ?? image.ImageId,
        labelTag: image.ImageId,
        tags: [image.Architecture ?? "", time(image.CreationDate)],
    };
}

interface ImageSectionProps {
    image: Image | undefined;
    /** The id the wizard was opened with. */
    wanted: string;
    onChange(image: Image | undefined): void;
    errorText?: string;
}

export function ImageSection({ image, wanted, onChange, errorText }: ImageSectionProps): ReactNode {
    const { account, client } = useSession();
    const [recent] = useState(() => recentImages(account.accountId, account.region));
    const [from, setFrom] = useState<From>(wanted ? "id" : recent.length > 0 ? "recent" : "self");
    const [typed, setTyped] = useState(wanted);
    const [text, setText] = useState("");
    const [unknown, setUnknown] = useState<string>();
    useEffect(() => {
        if (from !== "self") {
            return;
        }
        // Asked once: who has no image of their own starts from the public ones.
        client.call("DescribeImages", { Owners: ["self"], MaxResults: 1 }).then(
            ({ Images }) => Images?.length === 0 && setFrom((now) => (now === "self" ? "public" : now)),
            () => undefined, // the list itself tells what is wrong
        );
    }, [client]);
    const ask = useCallback((to: Client) => find(to, from, text, recent), [from, text, recent]);
    const { value: found, loading, error } = useAnswer(ask);
    const { value: inspection } = useInspection(image?.ImageId);

    useEffect(() => {
        if (from !== "id" || !/^ami-[0-9a-f]{8,17}$/.test(typed)) {
            return undefined;
        }
        let current = true;
        client.call("DescribeImages", { ImageIds: [typed] }).then(
            ({ Images }) => {
                if (current) {
                    onChange(Images?.[0]);
                    setUnknown(Images?.[0] ? undefined : `There is no AMI ${typed} that can be launched.`);
                }
            },
            (failure: Error) => current && setUnknown(failure.message),
        );
        return () => {
            current = false;
        };
    }, [client, from, typed, onChange]);

    return (
        <Container header={<Header variant="h2">Image (AMI)</Header>}>
            <SpaceBetween size="m">
                <SegmentedControl
                    label="Where to look for an image"
                    selectedId={from}
                    options={[...kSources]}
                    onChange={({ detail }) => setFrom(detail.selectedId as From)}
                />
                {from === "id" ? (
                    <FormField
                        label="AMI ID"
                        errorText={unknown ?? errorText}
                        constraintText={image && `${image.Name ?? ""} · ${image.Architecture ?? ""}`}
                    >
                        <Input
                            value={typed}
                            placeholder="ami-…"
                            spellcheck={false}
                            onChange={({ detail }) => {
                                setTyped(detail.value.trim());
                                setUnknown(undefined);
                                onChange(undefined);
                            }}
                        />
                    </FormField>
                ) : (
                    <FormField label="AMI" errorText={errorText}>
                        <Select
                            selectedOption={image ? optionOf(image) : null}
                            placeholder="Choose an image"
                            options={(found ?? []).map(optionOf)}
                            filteringType="manual"
                            filteringPlaceholder="Find by name"
                            onLoadItems={({ detail }) => setText(detail.filteringText)}
                            statusType={loading ? "loading" : error ? "error" : "finished"}
                            loadingText="Loading images"
                            errorText={error?.message}
                            empty={
                                from === "recent"
                                    ? "Nothing launched from this browser yet."
                                    : from === "self"
                                      ? "None of your own that can be launched. Look under Public."
                                      : from === "public"
                                        ? "No public images. kiln images pull tiny, by an administrator, provides one."
                                        : "No images are shared with this account."
                            }
                            onChange={({ detail }) =>
                                onChange(found?.find(({ ImageId }) => ImageId === detail.selectedOption.value))
                            }
                        />
                    </FormField>
                )}
                <BootWarnings subject="AMI" warnings={inspection?.warnings ?? []} />
            </SpaceBetween>
        </Container>
    );
}
