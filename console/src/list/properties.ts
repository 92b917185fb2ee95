// SPDX-License-Identifier: Apache-2.0
// What the property filter of a list offers: the resource's own attributes, and the tags of what is loaded.
import type { PropertyFilterProps } from "@cloudscape-design/components";
import type { Resource } from "./resource";

const kOperators = ["=", ":"] as const;
// A long list of suggestions helps nobody.
const kMostTagValues = 200;

export function filteringProperties<T>(
    resource: Resource<T>,
    items: readonly T[],
): PropertyFilterProps.FilteringProperty[] {
    const own = resource.properties.map(({ key, label }) => ({
        key,
        propertyLabel: label,
        groupValuesLabel: `${label} values`,
        group: "attributes",
        operators: kOperators,
    }));
    const keys = new Set(items.flatMap((item) => (resource.tags?.(item) ?? []).flatMap(({ Key }) => Key ?? [])));
    const known = new Set(own.map(({ key }) => key));
    const tags = [...keys].sort().map((key) => ({
        key: `tag:${key}`,
        propertyLabel: `Tag ${key}`,
        groupValuesLabel: `Tag ${key} values`,
        group: "tags",
        operators: kOperators,
    }));
    return [...own, ...tags.filter(({ key }) => !known.has(key))];
}

export function filteringOptions<T>(resource: Resource<T>, items: readonly T[]): PropertyFilterProps.FilteringOption[] {
    const own = resource.properties.flatMap(({ key, values }) =>
        (values ?? []).map((value) => ({ propertyKey: key, value })),
    );
    const tags = new Map<string, { propertyKey: string; value: string }>();
    for (const { Key, Value } of items.flatMap((item) => resource.tags?.(item) ?? [])) {
        if (Key && Value && tags.size < kMostTagValues) {
            tags.set(`${Key}\0${Value}`, { propertyKey: `tag:${Key}`, value: Value });
        }
    }
    return [...own, ...tags.values()];
}
