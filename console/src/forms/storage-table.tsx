// SPDX-License-Identifier: Apache-2.0
import { Box, Button, Checkbox, Input, Select, SpaceBetween, Table } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { kVolumeTypes, newRow, takesIops, type StorageRow } from "./storage";

interface StorageTableProps {
    rows: readonly StorageRow[];
    onChange(rows: StorageRow[]): void;
    /** Whether volumes that were there already may change in more than delete on termination (a launch: yes). */
    editable: boolean;
    /** Keys of rows that were there already. */
    original: ReadonlySet<string>;
}

const kTypeOptions = kVolumeTypes.map((value) => ({ value }));

export function StorageTable({ rows, onChange, editable, original }: StorageTableProps): ReactNode {
    const put = (key: string, change: Partial<StorageRow>) =>
        onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
    const isNew = (row: StorageRow) => !original.has(row.key);
    const open = (row: StorageRow) => editable || isNew(row);

    return (
        <SpaceBetween size="s">
            <Table<StorageRow>
                variant="embedded"
                contentDensity="compact"
                items={rows}
                trackBy="key"
                ariaLabels={{ tableLabel: "Volumes" }}
                columnDisplay={[
                    ...["device", "snapshot", "size", "type"].map((id) => ({ id, visible: true })),
                    { id: "iops", visible: rows.some((row) => takesIops(row.type)) },
                    { id: "delete", visible: true },
                    { id: "remove", visible: true },
                ]}
                columnDefinitions={[
                    {
                        id: "device",
                        header: "Device",
                        isRowHeader: true,
                        cell: (row) =>
                            isNew(row) ? (
                                <Input
                                    ariaLabel="Device"
                                    value={row.device}
                                    onChange={({ detail }) => put(row.key, { device: detail.value })}
                                />
                            ) : (
                                <>
                                    {row.device}{" "}
                                    {row.root && (
                                        <Box variant="span" color="text-body-secondary">
                                            (root)
                                        </Box>
                                    )}
                                </>
                            ),
                    },
                    {
                        id: "snapshot",
                        header: "Snapshot",
                        cell: (row) =>
                            open(row) && !row.root ? (
                                <Input
                                    ariaLabel={`Snapshot of ${row.device}`}
                                    value={row.snapshotId}
                                    placeholder="None (empty volume)"
                                    onChange={({ detail }) => put(row.key, { snapshotId: detail.value.trim() })}
                                />
                            ) : (
                                row.snapshotId || "Made of the volume"
                            ),
                    },
                    {
                        id: "size",
                        header: "Size (GiB)",
                        width: 120,
                        cell: (row) =>
                            open(row) ? (
                                <Input
                                    ariaLabel={`Size of ${row.device} in GiB`}
                                    type="number"
                                    inputMode="numeric"
                                    value={row.size}
                                    onChange={({ detail }) => put(row.key, { size: detail.value })}
                                />
                            ) : (
                                row.size || "–"
                            ),
                    },
                    {
                        id: "type",
                        header: "Volume type",
                        cell: (row) =>
                            open(row) ? (
                                <Select
                                    ariaLabel={`Type of ${row.device}`}
                                    selectedOption={{ value: row.type }}
                                    options={kTypeOptions}
                                    onChange={({ detail }) =>
                                        put(row.key, { type: detail.selectedOption.value ?? "gp2" })
                                    }
                                    expandToViewport
                                />
                            ) : (
                                row.type
                            ),
                    },
                    {
                        id: "iops",
                        header: "IOPS",
                        width: 120,
                        cell: (row) =>
                            open(row) && takesIops(row.type) ? (
                                <Input
                                    ariaLabel={`IOPS of ${row.device}`}
                                    type="number"
                                    inputMode="numeric"
                                    value={row.iops}
                                    placeholder={row.type === "gp3" ? "3000" : "Needed"}
                                    onChange={({ detail }) => put(row.key, { iops: detail.value })}
                                />
                            ) : (
                                row.iops || "–"
                            ),
                    },
                    {
                        id: "delete",
                        header: "Delete on termination",
                        cell: (row) => (
                            <Checkbox
                                ariaLabel={`Delete ${row.device} on termination`}
                                checked={row.deleteOnTermination}
                                onChange={({ detail }) => put(row.key, { deleteOnTermination: detail.checked })}
                            >
                                {row.deleteOnTermination ? "Yes" : "No"}
                            </Checkbox>
                        ),
                    },
                    {
                        id: "remove",
                        header: "Remove",
                        cell: (row) =>
                            row.root ? (
                                "–"
                            ) : (
                                <Button
                                    formAction="none"
                                    variant="icon"
                                    iconName="remove"
                                    ariaLabel={`Remove ${row.device}`}
                                    onClick={() => onChange(rows.filter(({ key }) => key !== row.key))}
                                />
                            ),
                    },
                ]}
                empty="No volumes."
            />
            <Button formAction="none" iconName="add-plus" onClick={() => onChange([...rows, newRow(rows)])}>
                Add volume
            </Button>
        </SpaceBetween>
    );
}
