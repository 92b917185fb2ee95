// SPDX-License-Identifier: Apache-2.0
import type { Instance } from "@aws-sdk/client-ec2";
import { Tabs } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { Facts, Reference, State, TagTable, time } from "../list/display";

function InstanceFacts({ instance }: { instance: Instance }): ReactNode {
    return (
        <Facts
            facts={[
                ["Instance ID", instance.InstanceId],
                ["State", <State state={instance.State?.Name} />],
                ["Instance type", instance.InstanceType],
                ["AMI ID", <Reference route="images" id={instance.ImageId} />],
                ["Launched", time(instance.LaunchTime)],
                ["Key pair", instance.KeyName],
                ["Public IPv4", instance.PublicIpAddress],
                ["Private IPv4", instance.PrivateIpAddress],
            ]}
        />
    );
}

export function InstanceDetails({ item }: { item: Instance }): ReactNode {
    return (
        <Tabs
            ariaLabel="Details of the instance"
            tabs={[
                { id: "details", label: "Details", content: <InstanceFacts instance={item} /> },
                { id: "tags", label: "Tags", content: <TagTable tags={item.Tags} /> },
            ]}
        />
    );
}
