// SPDX-License-Identifier: Apache-2.0
import type { Instance, InstanceNetworkInterface, InstanceBlockDeviceMapping } from "@aws-sdk/client-ec2";
import { Alert, Box, SpaceBetween, Table, Tabs } from "@cloudscape-design/components";
import { useState, type ReactNode } from "react";
import { Facts, Reference, State, TagTable, time, yesNo } from "../list/display";
import { useRoute } from "../shell/router";
import { useSession } from "../session/session";
import { Connect } from "./connect";
import { ConsoleText } from "./console-text";
import { failureOf } from "./failure";
import { Screenshot } from "./screenshot";
import { Timeline } from "./timeline";

interface DetailsProps {
    item: Instance;
}

function InstanceFacts({ item: instance }: DetailsProps): ReactNode {
    return (
        <Facts
            facts={[
                ["Instance ID", instance.InstanceId],
                ["Instance state", <State state={instance.State?.Name} />],
                ["Instance type", instance.InstanceType],
                ["AMI ID", <Reference route="images" id={instance.ImageId} />],
                ["Public IPv4", instance.PublicIpAddress],
                ["Private IPv4", instance.PrivateIpAddress],
                ["Private DNS name", instance.PrivateDnsName],
                ["Launched", time(instance.LaunchTime)],
                ["Key pair", instance.KeyName],
                ["Architecture", instance.Architecture],
                ["Boot mode", instance.CurrentInstanceBootMode ?? instance.BootMode],
                ["Platform", instance.PlatformDetails],
                ["Virtualization", instance.VirtualizationType],
                ["Availability Zone", instance.Placement?.AvailabilityZone],
                ["Launch index", instance.AmiLaunchIndex?.toString()],
                ["ENA support", yesNo(instance.EnaSupport)],
            ]}
        />
    );
}

function Storage({ item: instance }: DetailsProps): ReactNode {
    return (
        <SpaceBetween size="m">
            <Facts
                facts={[
                    ["Root device", instance.RootDeviceName],
                    ["Root device type", instance.RootDeviceType],
                    ["EBS optimized", yesNo(instance.EbsOptimized)],
                ]}
            />
            <Table<InstanceBlockDeviceMapping>
                variant="embedded"
                items={instance.BlockDeviceMappings ?? []}
                ariaLabels={{ tableLabel: "Volumes" }}
                columnDefinitions={[
                    { id: "device", header: "Device", cell: ({ DeviceName }) => DeviceName, isRowHeader: true },
                    {
                        id: "volume",
                        header: "Volume",
                        cell: ({ Ebs }) => <Reference route="volumes" id={Ebs?.VolumeId} />,
                    },
                    { id: "status", header: "Status", cell: ({ Ebs }) => <State state={Ebs?.Status} /> },
                    { id: "attached", header: "Attached", cell: ({ Ebs }) => time(Ebs?.AttachTime) },
                    {
                        id: "delete",
                        header: "Delete on termination",
                        cell: ({ Ebs }) => yesNo(Ebs?.DeleteOnTermination),
                    },
                ]}
                empty="No volumes."
            />
        </SpaceBetween>
    );
}

function Network({ item: instance }: DetailsProps): ReactNode {
    return (
        <SpaceBetween size="m">
            <Facts
                facts={[
                    ["Public IPv4", instance.PublicIpAddress],
                    ["Private IPv4", instance.PrivateIpAddress],
                    ["VPC", instance.VpcId],
                    ["Subnet", instance.SubnetId],
                    [
                        "Security groups",
                        <SpaceBetween size="xxs">
                            {(instance.SecurityGroups ?? []).map(({ GroupId, GroupName }) => (
                                <Box key={GroupId}>
                                    <Reference route="security-groups" id={GroupId} /> ({GroupName})
                                </Box>
                            ))}
                        </SpaceBetween>,
                    ],
                ]}
            />
            <Table<InstanceNetworkInterface>
                variant="embedded"
                items={instance.NetworkInterfaces ?? []}
                ariaLabels={{ tableLabel: "Network interfaces" }}
                columnDefinitions={[
                    {
                        id: "id",
                        header: "Network interface",
                        cell: ({ NetworkInterfaceId }) => NetworkInterfaceId,
                        isRowHeader: true,
                    },
                    { id: "mac", header: "MAC address", cell: ({ MacAddress }) => MacAddress },
                    { id: "private", header: "Private IPv4", cell: ({ PrivateIpAddress }) => PrivateIpAddress },
                    { id: "public", header: "Public IPv4", cell: ({ Association }) => Association?.PublicIp ?? "–" },
                    { id: "status", header: "Status", cell: ({ Status }) => Status ?? "–" },
                ]}
                empty="No network interfaces."
            />
        </SpaceBetween>
    );
}

function Metadata({ item: { MetadataOptions: options } }: DetailsProps): ReactNode {
    return (
        <Facts
            facts={[
                ["Metadata service", options?.HttpEndpoint],
                ["Tokens (IMDSv2)", options?.HttpTokens],
                ["Response hop limit", options?.HttpPutResponseHopLimit?.toString()],
                ["Tags in metadata", options?.InstanceMetadataTags],
                ["State", <State state={options?.State} />],
            ]}
        />
    );
}

export function InstanceDetails({ item }: DetailsProps): ReactNode {
    const { query } = useRoute();
    const { isBuilt } = useSession();
    const [tab, setTab] = useState(query.get("tab") ?? "details");
    const failure = failureOf(item);
    return (
        <SpaceBetween size="s">
            {failure && (
                <Alert type="error" header={`The instance was ${item.State?.Name ?? "ended"} by the server`}>
                    {failure}
                </Alert>
            )}
            <Tabs
                ariaLabel="Details of the instance"
                activeTabId={tab}
                onChange={({ detail }) => setTab(detail.activeTabId)}
                tabs={[
                    { id: "details", label: "Details", content: <InstanceFacts item={item} /> },
                    { id: "connect", label: "Connect", content: <Connect instance={item} /> },
                    { id: "timeline", label: "Timeline", content: <Timeline instance={item} /> },
                    // Mounted only while it is looked at: it asks the server again and again.
                    {
                        id: "console",
                        label: "Console text",
                        content: tab === "console" && <ConsoleText instance={item} />,
                    },
                    {
                        id: "screenshot",
                        label: "Screenshot",
                        content: tab === "screenshot" && <Screenshot instance={item} />,
                        disabled: isBuilt("GetConsoleScreenshot") === false,
                        disabledReason: "This server does not offer GetConsoleScreenshot yet.",
                    },
                    { id: "storage", label: "Storage", content: <Storage item={item} /> },
                    { id: "network", label: "Network", content: <Network item={item} /> },
                    { id: "metadata", label: "Metadata options", content: <Metadata item={item} /> },
                    { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
                ]}
            />
        </SpaceBetween>
    );
}
