// SPDX-License-Identifier: Apache-2.0
import type { Instance, Tag } from "@aws-sdk/client-ec2";
import {
    Box,
    Container,
    FormField,
    Header,
    Input,
    Link,
    RadioGroup,
    SpaceBetween,
    Textarea,
} from "@cloudscape-design/components";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import type { Input as CallInput } from "../api/commands";
import { asApiError, fieldOf, type ApiError } from "../api/errors";
import type { RouteProps } from "../app";
import { ErrorAlert, fieldText } from "../forms/error-alert";
import { FormPage } from "../forms/form-page";
import { overrides, rowOf, type StorageRow } from "../forms/storage";
import { StorageTable } from "../forms/storage-table";
import { TagEditor, tagSpecifications } from "../forms/tag-editor";
import { useSubmit } from "../forms/use-submit";
import { nameOf } from "../list/resource";
import { useItem } from "../list/use-item";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";
import { Page } from "../shell/page";
import { follow, navigate } from "../shell/router";
import { kInstanceSource } from "./resource";

const kPatterns = {
    name: /InvalidAMIName|\bname\b/i,
    description: /\bdescription\b/i,
    volumes: /BlockDevice|\bdevice\b|volume|snapshot/i,
    tags: /\btags?\b|TagLimit/i,
};

const kCrumbs = [{ text: "Instances", href: "#/instances" }];

/** The instance's volumes with the sizes their attachments do not tell. */
function useVolumes(instance: Instance | undefined): { rows?: readonly StorageRow[]; error?: ApiError } {
    const { client } = useSession();
    const [rows, setRows] = useState<readonly StorageRow[]>();
    const [error, setError] = useState<ApiError>();
    const id = instance?.InstanceId;
    useEffect(() => {
        if (!instance) {
            return;
        }
        const filter = { Name: "attachment.instance-id", Values: [instance.InstanceId ?? ""] };
        client.call("DescribeVolumes", { Filters: [filter] }).then(
            ({ Volumes }) => {
                const volumes = new Map((Volumes ?? []).map((volume) => [volume.VolumeId, volume]));
                const mappings = (instance.BlockDeviceMappings ?? []).map(({ DeviceName, Ebs }) => {
                    const volume = volumes.get(Ebs?.VolumeId);
                    return {
                        DeviceName,
                        Ebs: {
                            DeleteOnTermination: Ebs?.DeleteOnTermination,
                            VolumeSize: volume?.Size,
                            VolumeType: volume?.VolumeType,
                            Iops: volume?.Iops,
                        },
                    };
                });
                setRows(mappings.map((mapping) => rowOf(mapping, instance.RootDeviceName)));
            },
            (failure: unknown) => setError(asApiError(failure)),
        );
        // Once per instance: its state may change while the form is being filled in.
    }, [client, id]);
    return { rows, error };
}

function imageFlash(imageId: string, name: string): void {
    flashSuccess(
        <>
            Image{" "}
            <Link color="inverted" href={`#/images?image-id=${imageId}`} onFollow={follow}>
                {imageId}
            </Link>{" "}
            is being made
        </>,
        `${name} can be launched once its state is Available.`,
    );
}

export default function CreateImagePage({ parameters: [id = ""] }: RouteProps): ReactNode {
    const { item, list } = useItem(kInstanceSource, id);
    const { rows, error } = useVolumes(item);
    if (!item || !rows) {
        return (
            <Page title="Create image" crumbs={kCrumbs}>
                <ErrorAlert error={list.error ?? error} />
                {!list.busy && !item && <Box>There is no instance {id} in this region.</Box>}
            </Page>
        );
    }
    return <CreateImageForm instance={item} volumes={rows} />;
}

function CreateImageForm({ instance, volumes }: { instance: Instance; volumes: readonly StorageRow[] }): ReactNode {
    const { perform } = useSession();
    const id = instance.InstanceId ?? "";
    const running = instance.State?.Name === "running";
    const [name, setName] = useState("");
    const [description, setDescription] = useState("");
    const [reboot, setReboot] = useState(true);
    const [rows, setRows] = useState(volumes);
    const [tags, setTags] = useState<readonly Tag[]>([]);
    const original = useMemo(() => new Set(volumes.map(({ key }) => key)), [volumes]);

    const input: CallInput<"CreateImage"> = {
        InstanceId: id,
        Name: name,
        Description: description || undefined,
        NoReboot: !reboot,
        BlockDeviceMappings: overrides(rows, volumes),
        TagSpecifications: tagSpecifications(tags, "image", "snapshot"),
    };
    const { busy, error, submit } = useSubmit(async () => {
        const { ImageId } = await perform("CreateImage", input);
        imageFlash(ImageId ?? "", name);
        navigate("#/instances");
    });
    const field = fieldOf(error, kPatterns);
    const errorAt = (at: keyof typeof kPatterns) => (field === at ? fieldText(error) : undefined);

    return (
        <FormPage
            title="Create image"
            crumbs={[...kCrumbs, { text: id, href: `#/instances/${id}` }]}
            description="An AMI of this instance: its volumes as they are now, ready to be launched again."
            error={error}
            errorAtField={field !== undefined}
            busy={busy}
            disabled={!name}
            submitText="Create image"
            onSubmit={submit}
            calls={[{ operation: "CreateImage", input }]}
        >
            <Container header={<Header variant="h2">Image details</Header>}>
                <SpaceBetween size="l">
                    <FormField label="Instance">
                        {id} {nameOf(instance.Tags) && `(${nameOf(instance.Tags)})`}
                    </FormField>
                    <FormField
                        label="Image name"
                        constraintText="3 to 128 characters: letters, digits, spaces and ( ) [ ] . / - ' @ _"
                        errorText={errorAt("name")}
                    >
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
                    </FormField>
                    <FormField
                        label={
                            <span>
                                Image description <i>- optional</i>
                            </span>
                        }
                        errorText={errorAt("description")}
                    >
                        <Textarea
                            rows={2}
                            value={description}
                            onChange={({ detail }) => setDescription(detail.value)}
                        />
                    </FormField>
                    <FormField label="Consistency">
                        <RadioGroup
                            value={reboot ? "reboot" : "no-reboot"}
                            onChange={({ detail }) => setReboot(detail.value === "reboot")}
                            items={[
                                {
                                    value: "reboot",
                                    label: "Reboot the instance",
                                    description: running
                                        ? "The guest shuts down, its volumes are captured while nothing writes, and it starts again. The image is clean."
                                        : "The instance is stopped: its volumes are captured as they are, and it stays stopped.",
                                },
                                {
                                    value: "no-reboot",
                                    label: "Do not reboot",
                                    description:
                                        "The guest runs on. All volumes are captured at one instant, as after a loss of power: what it had not written to disk yet is missing.",
                                },
                            ]}
                        />
                    </FormField>
                </SpaceBetween>
            </Container>
            <Container
                header={
                    <Header
                        variant="h2"
                        description="Each volume kept becomes a snapshot of the image. The root cannot be removed."
                    >
                        Volumes
                    </Header>
                }
            >
                <FormField stretch errorText={errorAt("volumes")}>
                    <StorageTable rows={rows} onChange={setRows} editable={false} original={original} />
                </FormField>
            </Container>
            <Container
                header={
                    <Header variant="h2" description="Given to the image and its snapshots.">
                        Tags
                    </Header>
                }
            >
                <FormField stretch errorText={errorAt("tags")}>
                    <TagEditor tags={tags} onChange={setTags} />
                </FormField>
            </Container>
        </FormPage>
    );
}
