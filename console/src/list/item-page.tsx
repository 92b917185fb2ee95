// SPDX-License-Identifier: Apache-2.0
// The page of one item: the same details, actions and freshness as in its list.
import {
    Box,
    Button,
    ButtonDropdown,
    ContentLayout,
    Header,
    SpaceBetween,
    StatusIndicator,
} from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ErrorAlert } from "../forms/error-alert";
import { useSession } from "../session/session";
import { Page } from "../shell/page";
import { menuItems, runAction } from "./actions";
import { titleOf, type Resource } from "./resource";
import { useItem } from "./use-item";

export function ItemPage<T>({ resource, id }: { resource: Resource<T>; id: string }): ReactNode {
    const session = useSession();
    const { item, list } = useItem(resource.source, id);
    const title = resource.plural.charAt(0).toUpperCase() + resource.plural.slice(1);
    const items = item ? [item] : [];
    const name = item && titleOf(resource, item);
    return (
        <Page title={id} crumbs={[{ text: title, href: `#/${resource.route}` }]}>
            <ContentLayout
                header={
                    <Header
                        variant="h1"
                        description={name}
                        actions={
                            <SpaceBetween direction="horizontal" size="xs">
                                <Button
                                    iconName="refresh"
                                    ariaLabel="Refresh"
                                    loading={list.busy && !list.loading}
                                    onClick={list.refresh}
                                />
                                <ButtonDropdown
                                    items={menuItems(resource, items, session)}
                                    expandableGroups
                                    disabled={!item}
                                    onItemClick={({ detail }) => runAction(resource, detail.id, items, session)}
                                >
                                    Actions
                                </ButtonDropdown>
                            </SpaceBetween>
                        }
                    >
                        {id}
                    </Header>
                }
            >
                <SpaceBetween size="m">
                    <ErrorAlert error={list.error} />
                    {list.loading && <StatusIndicator type="loading">Loading</StatusIndicator>}
                    {!list.loading && !item && !list.error && (
                        <Box>
                            There is no {resource.singular} {id} in {session.client.region}.
                        </Box>
                    )}
                    {item && <resource.Details item={item} />}
                </SpaceBetween>
            </ContentLayout>
        </Page>
    );
}
