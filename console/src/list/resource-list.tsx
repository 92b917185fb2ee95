// SPDX-License-Identifier: Apache-2.0
// The list page of a kind of resource: table, filter, actions, context menu, split panel.
import { useCollection } from "@cloudscape-design/collection-hooks";
import {
    Alert,
    Box,
    Button,
    ButtonDropdown,
    CollectionPreferences,
    Header,
    Link,
    Pagination,
    PropertyFilter,
    SpaceBetween,
    SplitPanel,
    Table,
    type PropertyFilterProps,
} from "@cloudscape-design/components";
import { useCallback, useEffect, useMemo, useState, type ReactNode } from "react";
import { useSession } from "../session/session";
import { Page } from "../shell/page";
import { follow, useRoute } from "../shell/router";
import { menuItems, runAction } from "./actions";
import { ContextMenu, type Place } from "./context-menu";
import { kPageSizes, usePreferences } from "./preferences";
import { filteringOptions, filteringProperties } from "./properties";
import { plan, tokensOf, type Token } from "./query";
import { titleOf, type Column, type Resource } from "./resource";
import { useList } from "./use-list";

const kPartlyLoaded =
    "There are more on the server: pages load as you turn them, and sorting covers what is loaded. The filter searches all.";

interface ResourceListProps<T> {
    resource: Resource<T>;
    /** Buttons beside Actions, the main one last. */
    buttons?: (selected: readonly T[]) => ReactNode;
    /** Stands in front of the filter. */
    view?: ReactNode;
}

function comparator<T>({ sortBy }: Column<T>): ((a: T, b: T) => number) | undefined {
    if (!sortBy) {
        return undefined;
    }
    return (a, b) => {
        const [left, right] = [sortBy(a) ?? "", sortBy(b) ?? ""];
        return left < right ? -1 : left > right ? 1 : 0;
    };
}

function columnDefinitions<T>(resource: Resource<T>) {
    return resource.columns.map((column, index) => ({
        ...column,
        isRowHeader: index === 0,
        minWidth: 90,
        sortingComparator: comparator(column),
    }));
}

function Empty<T>({
    resource,
    filtered,
    onClear,
}: {
    resource: Resource<T>;
    filtered: boolean;
    onClear(): void;
}): ReactNode {
    const { title, hint, action } = resource.empty;
    return (
        <Box textAlign="center" margin={{ vertical: "m" }}>
            <SpaceBetween size="s">
                <Box variant="strong">{filtered ? "No matches" : title}</Box>
                <Box color="text-body-secondary">{filtered ? `No ${resource.singular} matches the filter.` : hint}</Box>
                {filtered && <Button onClick={onClear}>Clear filter</Button>}
                {!filtered && action && <Button onClick={action.run}>{action.text}</Button>}
            </SpaceBetween>
        </Box>
    );
}

function panelTitle<T>(resource: Resource<T>, selected: readonly T[]): string {
    const [first] = selected;
    if (!first) {
        return `Select ${/^[aeiouAEI]/.test(resource.singular) ? "an" : "a"} ${resource.singular}`;
    }
    if (selected.length > 1) {
        return `${selected.length} ${resource.plural} selected`;
    }
    const name = titleOf(resource, first);
    const id = resource.source.id(first);
    return name ? `${id} (${name})` : id;
}

export function ResourceList<T>({ resource, buttons, view }: ResourceListProps<T>): ReactNode {
    const session = useSession();
    const { query } = useRoute();
    const { source } = resource;
    const properties = useMemo(() => new Set(resource.properties.map(({ key }) => key)), [resource]);
    const [tokens, setTokens] = useState<readonly Token[]>(() => tokensOf(query, properties));
    const [preferences, setPreferences] = usePreferences(resource);
    const [selectedIds, setSelectedIds] = useState<ReadonlySet<string>>(new Set());
    const [panelOpen, setPanelOpen] = useState(false);
    const [menuPlace, setMenuPlace] = useState<Place>();
    const closeMenu = useCallback(() => setMenuPlace(undefined), []);

    useEffect(() => {
        // A link to a filtered list may be followed on the list itself.
        const linked = tokensOf(query, properties);
        if (linked.length > 0) {
            setTokens(linked);
        }
    }, [query, properties]);

    const listPlan = useMemo(() => plan(tokens, [], source.searchFilters), [tokens, source]);
    const list = useList(session.client, source, listPlan);
    const columns = useMemo(() => columnDefinitions(resource), [resource]);
    const sortingColumn = columns.find(({ id }) => id === resource.sortedBy.replace(/^-/, ""));

    const { items, actions, collectionProps, paginationProps } = useCollection(list.items, {
        pagination: { pageSize: preferences.pageSize },
        sorting: sortingColumn && {
            defaultState: { sortingColumn, isDescending: resource.sortedBy.startsWith("-") },
        },
    });
    // Both walk over everything that is loaded.
    const offeredProperties = useMemo(() => filteringProperties(resource, list.items), [resource, list.items]);
    const offeredOptions = useMemo(() => filteringOptions(resource, list.items), [resource, list.items]);
    const selected = useMemo(
        () => list.items.filter((item) => selectedIds.has(source.id(item))),
        [list.items, selectedIds, source],
    );

    function select(chosen: readonly T[]): void {
        setSelectedIds(new Set(chosen.map(source.id)));
        setPanelOpen(chosen.length > 0);
    }

    async function turnToPage(index: number): Promise<void> {
        if (index > paginationProps.pagesCount) {
            await list.loadMore();
        }
        actions.setCurrentPage(index);
    }

    const menu = menuItems(resource, selected, session);
    const choose = (id: string): void => runAction(resource, id, selected, session);
    const [only] = selected;
    const counted = `${list.items.length.toLocaleString("en")}${list.more ? "+" : ""}`;
    const title = resource.plural.charAt(0).toUpperCase() + resource.plural.slice(1);

    return (
        <Page
            title={title}
            contentType="table"
            splitPanelOpen={panelOpen}
            onSplitPanelToggle={setPanelOpen}
            splitPanel={
                <SplitPanel header={panelTitle(resource, selected)} hidePreferencesButton closeBehavior="hide">
                    {only && selected.length === 1 ? (
                        <resource.Details key={source.id(only)} item={only} />
                    ) : (
                        <Box color="text-body-secondary">Select one to see its details.</Box>
                    )}
                </SplitPanel>
            }
        >
            <SpaceBetween size="s">
                {list.error && (
                    <Alert
                        type="error"
                        header={list.error.code}
                        action={<Button onClick={list.refresh}>Try again</Button>}
                    >
                        {list.error.message}
                    </Alert>
                )}
                <Table<T>
                    {...collectionProps}
                    variant="full-page"
                    stickyHeader
                    resizableColumns
                    enableKeyboardNavigation
                    items={[...items]}
                    columnDefinitions={columns}
                    columnDisplay={preferences.contentDisplay}
                    wrapLines={preferences.wrapLines}
                    trackBy={source.id}
                    loading={list.loading}
                    loadingText={`Loading ${resource.plural}`}
                    selectionType="multi"
                    selectedItems={[...selected]}
                    onSelectionChange={({ detail }) => select(detail.selectedItems)}
                    onRowClick={({ detail }) => select([detail.item])}
                    onRowContextMenu={(event) => {
                        event.preventDefault();
                        if (!selectedIds.has(source.id(event.detail.item))) {
                            setSelectedIds(new Set([source.id(event.detail.item)]));
                        }
                        setMenuPlace({ x: event.detail.clientX, y: event.detail.clientY });
                    }}
                    ariaLabels={{
                        tableLabel: title,
                        selectionGroupLabel: `Select ${resource.plural}`,
                        allItemsSelectionLabel: () => `Select all ${resource.plural} of this page`,
                        itemSelectionLabel: (_, item) => `Select ${source.id(item)}`,
                    }}
                    header={
                        <Header
                            variant="awsui-h1-sticky"
                            counter={
                                list.loading
                                    ? undefined
                                    : selected.length > 0
                                      ? `(${selected.length}/${counted})`
                                      : `(${counted})`
                            }
                            description={list.more ? kPartlyLoaded : undefined}
                            actions={
                                <SpaceBetween direction="horizontal" size="xs">
                                    <Button
                                        iconName="refresh"
                                        ariaLabel="Refresh"
                                        loading={list.busy && !list.loading}
                                        onClick={list.refresh}
                                    />
                                    <ButtonDropdown
                                        items={menu}
                                        expandableGroups
                                        onItemClick={({ detail }) => choose(detail.id)}
                                    >
                                        Actions
                                    </ButtonDropdown>
                                    {buttons?.(selected)}
                                </SpaceBetween>
                            }
                        >
                            {title}
                        </Header>
                    }
                    filter={
                        <SpaceBetween direction="horizontal" size="xs">
                            {view}
                            <div className="list-filter">
                                <PropertyFilter
                                    hideOperations
                                    query={{ operation: "and", tokens: tokens as PropertyFilterProps.Token[] }}
                                    onChange={({ detail }) => {
                                        setTokens(detail.tokens);
                                        actions.setCurrentPage(1);
                                    }}
                                    filteringProperties={offeredProperties}
                                    filteringOptions={offeredOptions}
                                    filteringPlaceholder={`Find ${resource.plural} by attribute, tag or keyword`}
                                    filteringAriaLabel={`Find ${resource.plural}`}
                                    countText={
                                        tokens.length > 0 && !list.loading
                                            ? `${counted} ${list.items.length === 1 ? "match" : "matches"}`
                                            : undefined
                                    }
                                    expandToViewport
                                />
                            </div>
                        </SpaceBetween>
                    }
                    pagination={
                        <Pagination
                            {...paginationProps}
                            openEnd={list.more}
                            onChange={({ detail }) => void turnToPage(detail.currentPageIndex)}
                            onNextPageClick={({ detail }) => {
                                if (!detail.requestedPageAvailable) {
                                    void turnToPage(detail.requestedPageIndex);
                                }
                            }}
                        />
                    }
                    preferences={
                        <CollectionPreferences
                            title="Preferences"
                            confirmLabel="Confirm"
                            cancelLabel="Cancel"
                            preferences={preferences}
                            onConfirm={({ detail }) => setPreferences({ ...preferences, ...detail })}
                            pageSizePreference={{
                                title: "Page size",
                                options: kPageSizes.map((value) => ({ value, label: `${value} ${resource.plural}` })),
                            }}
                            wrapLinesPreference={{ label: "Wrap lines", description: "Show all text of a cell." }}
                            contentDisplayPreference={{
                                title: "Columns",
                                options: resource.columns.map(({ id, header }, index) => ({
                                    id,
                                    label: header,
                                    alwaysVisible: index === 0,
                                })),
                            }}
                        />
                    }
                    empty={<Empty resource={resource} filtered={tokens.length > 0} onClear={() => setTokens([])} />}
                />
            </SpaceBetween>
            {menuPlace && <ContextMenu place={menuPlace} items={menu} onChoose={choose} onClose={closeMenu} />}
        </Page>
    );
}

/** The id of an item, leading to its page. */
export function ItemLink({ route, id, text }: { route: string; id: string; text?: string }): ReactNode {
    return (
        <Link href={`#/${route}/${encodeURIComponent(id)}`} onFollow={follow}>
            {text ?? id}
        </Link>
    );
}
