// SPDX-License-Identifier: Apache-2.0
// The frame of every page: navigation at the side, messages, breadcrumbs, the page, and its split panel.
import { AppLayout, BreadcrumbGroup, SideNavigation, type AppLayoutProps } from "@cloudscape-design/components";
import { useEffect, useState, type ReactNode } from "react";
import { Flashes } from "./flash";
import { follow, useRoute } from "./router";

const kNavigation = [
    { type: "link", text: "Launch instance", href: "#/launch" },
    { type: "divider" },
    { type: "link", text: "Instances", href: "#/instances" },
    { type: "link", text: "AMIs", href: "#/images" },
    {
        type: "section",
        text: "Block storage",
        items: [
            { type: "link", text: "Volumes", href: "#/volumes" },
            { type: "link", text: "Snapshots", href: "#/snapshots" },
        ],
    },
    {
        type: "section",
        text: "Network and security",
        items: [
            { type: "link", text: "Security groups", href: "#/security-groups" },
            { type: "link", text: "Key pairs", href: "#/key-pairs" },
        ],
    },
    { type: "divider" },
    { type: "link", text: "Events", href: "#/events" },
] as const;

export interface Crumb {
    text: string;
    href: string;
}

interface PageProps {
    title: string;
    crumbs?: readonly Crumb[];
    contentType?: AppLayoutProps.ContentType;
    splitPanel?: ReactNode;
    splitPanelOpen?: boolean;
    onSplitPanelToggle?: (open: boolean) => void;
    children: ReactNode;
}

export function Page(props: PageProps): ReactNode {
    const { path } = useRoute();
    const [navigationOpen, setNavigationOpen] = useState(window.innerWidth > 1100);
    const here = window.location.hash || "#/instances";

    useEffect(() => {
        document.title = `${props.title} | Kiln`;
    }, [props.title]);

    return (
        <AppLayout
            headerSelector="#header"
            toolsHide
            contentType={props.contentType ?? "default"}
            navigationOpen={navigationOpen}
            onNavigationChange={({ detail }) => setNavigationOpen(detail.open)}
            navigationWidth={230}
            navigation={
                <SideNavigation
                    header={{ text: "Resources", href: "#/instances" }}
                    activeHref={`#/${path[0] ?? "instances"}`}
                    items={kNavigation as never}
                    onFollow={follow}
                />
            }
            notifications={<Flashes />}
            breadcrumbs={
                <BreadcrumbGroup
                    items={[...(props.crumbs ?? []), { text: props.title, href: here }]}
                    onFollow={follow}
                />
            }
            splitPanel={props.splitPanel}
            splitPanelOpen={props.splitPanelOpen ?? false}
            onSplitPanelToggle={({ detail }) => props.onSplitPanelToggle?.(detail.open)}
            content={props.children}
        />
    );
}
