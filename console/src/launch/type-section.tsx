// SPDX-License-Identifier: Apache-2.0
import type { Image, InstanceTypeInfo } from "@aws-sdk/client-ec2";
import { Container, FormField, Header, Select } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import type { Client } from "../api/client";
import { useAnswer } from "../session/use-answer";
import { misfit } from "./draft";

async function allTypes(client: Client): Promise<InstanceTypeInfo[]> {
    const types: InstanceTypeInfo[] = [];
    let NextToken: string | undefined;
    do {
        const page = await client.call("DescribeInstanceTypes", { MaxResults: 100, NextToken });
        types.push(...(page.InstanceTypes ?? []));
        NextToken = page.NextToken;
    } while (NextToken);
    const memory = (type: InstanceTypeInfo) => type.MemoryInfo?.SizeInMiB ?? 0;
    const family = (type: InstanceTypeInfo) => type.InstanceType?.split(".")[0] ?? "";
    return types.sort((a, b) => family(a).localeCompare(family(b)) || memory(a) - memory(b));
}

export function describeType(type: InstanceTypeInfo): string {
    const cpus = type.VCpuInfo?.DefaultVCpus ?? 0;
    const gib = (type.MemoryInfo?.SizeInMiB ?? 0) / 1024;
    return `${cpus} vCPU, ${Number(gib.toFixed(2))} GiB memory`;
}

interface TypeSelectProps {
    image: Image | undefined;
    value: string;
    onChange(type: string): void;
}

export function TypeSelect({ image, value, onChange }: TypeSelectProps): ReactNode {
    const { value: types, loading, error } = useAnswer(allTypes);
    const options = (types ?? []).map((type) => {
        const reason = misfit(type, image);
        return {
            value: type.InstanceType ?? "",
            description: describeType(type),
            disabled: reason !== undefined,
            labelTag: reason,
        };
    });
    return (
        <Select
            selectedOption={options.find((option) => option.value === value) ?? { value }}
            triggerVariant="option"
            options={options}
            filteringType="auto"
            filteringPlaceholder="Find a type"
            statusType={loading ? "loading" : error ? "error" : "finished"}
            loadingText="Loading types"
            errorText={error?.message}
            onChange={({ detail }) => onChange(detail.selectedOption.value ?? value)}
        />
    );
}

export function TypeSection({ errorText, ...select }: TypeSelectProps & { errorText?: string }): ReactNode {
    return (
        <Container header={<Header variant="h2">Instance type</Header>}>
            <FormField label="Type" errorText={errorText}>
                <TypeSelect {...select} />
            </FormField>
        </Container>
    );
}
