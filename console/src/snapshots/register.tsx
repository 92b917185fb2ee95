// SPDX-License-Identifier: Apache-2.0
import type { ArchitectureValues, BootModeValues, Snapshot } from "@aws-sdk/client-ec2";
import { Alert, FormField, Input, Select, SpaceBetween, StatusIndicator } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { BootWarnings, useInspection } from "../disks/inspection";
import { ActionDialog } from "../forms/action-dialog";
import { fieldText } from "../forms/error-alert";
import { useSession } from "../session/session";
import { flashSuccess } from "../shell/flash";

const kArchitectures = ["x86_64", "i386", "arm64"].map((value) => ({ value }));
const kBootModes = [
    { value: "", label: "Not said (BIOS)" },
    { value: "legacy-bios", label: "BIOS" },
    { value: "uefi", label: "UEFI" },
    { value: "uefi-preferred", label: "UEFI where the type can, else BIOS" },
];

export function RegisterImageDialog({ snapshot }: { snapshot: Snapshot }): ReactNode {
    const { perform } = useSession();
    const [name, setName] = useState("");
    const [description, setDescription] = useState("");
    // What the disk says, until something else is chosen.
    const { value: inspection, loading, error } = useInspection(snapshot.SnapshotId);
    const disk = inspection?.disk;
    const [chosenArchitecture, setArchitecture] = useState<string>();
    const architecture = chosenArchitecture ?? disk?.architecture ?? "x86_64";
    const [rootDevice, setRootDevice] = useState("/dev/xvda");
    const [chosenBootMode, setBootMode] = useState<string>();
    const bootMode = chosenBootMode ?? disk?.bootMode ?? "";
    const input = {
        Name: name,
        Description: description || undefined,
        Architecture: architecture as ArchitectureValues,
        RootDeviceName: rootDevice,
        VirtualizationType: "hvm",
        EnaSupport: true,
        BootMode: bootMode ? (bootMode as BootModeValues) : undefined,
        BlockDeviceMappings: [{ DeviceName: rootDevice, Ebs: { SnapshotId: snapshot.SnapshotId } }],
    };
    return (
        <ActionDialog
            title={`Create image from ${snapshot.SnapshotId ?? "snapshot"}`}
            submitText="Create image"
            calls={[{ operation: "RegisterImage", input }]}
            disabled={!name}
            patterns={{
                name: /InvalidAMIName|\bname\b/i,
                rootDevice: /device/i,
                bootMode: /boot/i,
                architecture: /architecture/i,
            }}
            work={async () => {
                const { ImageId } = await perform("RegisterImage", input);
                flashSuccess(`Image ${ImageId ?? ""} registered`, "Find it under AMIs, Owned by me.");
            }}
        >
            {(errorAt) => (
                <SpaceBetween size="m">
                    {loading && <StatusIndicator type="loading">Looking at the disk of the snapshot</StatusIndicator>}
                    <BootWarnings subject="snapshot" warnings={inspection?.warnings ?? []} />
                    {disk && disk.bootWarnings.length === 0 && (
                        <Alert type="info">
                            The disk looks bootable: {disk.system ?? "its system is not told"}. Architecture and boot
                            mode are the disk's own.
                        </Alert>
                    )}
                    {(error ?? inspection?.notRead) && (
                        <Alert type="info">
                            The disk was not looked at ({error?.message ?? inspection?.notRead}). The image boots only
                            if the snapshot is of a root volume: one with a boot loader and a system.
                        </Alert>
                    )}
                    <FormField label="Image name" errorText={fieldText(errorAt("name"))}>
                        <Input value={name} onChange={({ detail }) => setName(detail.value)} autoFocus />
                    </FormField>
                    <FormField label="Description">
                        <Input value={description} onChange={({ detail }) => setDescription(detail.value)} />
                    </FormField>
                    <FormField label="Architecture" errorText={fieldText(errorAt("architecture"))}>
                        <Select
                            selectedOption={{ value: architecture }}
                            options={kArchitectures}
                            onChange={({ detail }) => setArchitecture(detail.selectedOption.value ?? "x86_64")}
                        />
                    </FormField>
                    <FormField label="Root device name" errorText={fieldText(errorAt("rootDevice"))}>
                        <Input value={rootDevice} onChange={({ detail }) => setRootDevice(detail.value.trim())} />
                    </FormField>
                    <FormField label="Boot mode" errorText={fieldText(errorAt("bootMode"))}>
                        <Select
                            selectedOption={kBootModes.find(({ value }) => value === bootMode) ?? null}
                            options={kBootModes}
                            onChange={({ detail }) => setBootMode(detail.selectedOption.value ?? "")}
                        />
                    </FormField>
                </SpaceBetween>
            )}
        </ActionDialog>
    );
}
