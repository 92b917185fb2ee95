// SPDX-License-Identifier: Apache-2.0
// The bar at the top: region, appearance, account.
import { TopNavigation, type ButtonDropdownProps } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { createPortal } from "react-dom";
import { accounts, setRegion, signOut, switchTo } from "../session/accounts";
import { useRegions } from "../session/regions";
import { useSession } from "../session/session";
import { appearance, change } from "./appearance";
import { clearFlashes } from "./flash";
import { follow, navigate } from "./router";
import { useStore } from "./store";

/** What is shown belongs to the account and region left behind: the lists start over. */
function leavePage(): void {
    clearFlashes();
    const section = window.location.hash.replace(/^#\/?/, "").split(/[/?]/)[0];
    navigate(`#/${section || "instances"}`);
}

function accountItems(current: string): ButtonDropdownProps.ItemOrGroup[] {
    const others = accounts.get().all.filter((account) => account.accessKeyId !== current);
    return [
        ...others.map((account) => ({
            id: `switch:${account.accessKeyId}`,
            text: `Switch to ${account.accountId}`,
            secondaryText: account.accessKeyId,
        })),
        { id: "add", text: "Sign in to another account" },
        { id: "out", text: "Sign out" },
    ];
}

function runAccountItem(id: string): void {
    leavePage();
    if (id === "out") {
        signOut();
    } else {
        switchTo(id === "add" ? undefined : id.slice("switch:".length));
    }
}

export function TopBar(): ReactNode {
    const { account } = useSession();
    const regions = useRegions();
    const { dark, compact } = useStore(appearance);
    const header = document.getElementById("header");
    if (!header) {
        return null;
    }
    return createPortal(
        <TopNavigation
            identity={{
                href: "#/instances",
                title: "Kiln",
                logo: { src: "./icon.svg", alt: "Kiln logo" },
                onFollow: follow,
            }}
            utilities={[
                {
                    type: "menu-dropdown",
                    text: account.region,
                    ariaLabel: `Region ${account.region}`,
                    iconName: "globe",
                    items: regions.map((region) => ({
                        id: region,
                        text: region,
                        itemType: "checkbox" as const,
                        checked: region === account.region,
                    })),
                    onItemClick: ({ detail }) => {
                        setRegion(detail.id);
                        leavePage();
                    },
                },
                {
                    type: "menu-dropdown",
                    iconName: "settings",
                    ariaLabel: "Appearance",
                    title: "Appearance",
                    items: [
                        { id: "dark", text: "Dark mode", itemType: "checkbox", checked: dark },
                        { id: "compact", text: "Compact density", itemType: "checkbox", checked: compact },
                    ],
                    onItemClick: ({ detail }) => change({ [detail.id]: detail.checked }),
                },
                {
                    type: "menu-dropdown",
                    text: account.accountId,
                    ariaLabel: `Account ${account.accountId}`,
                    description: account.arn,
                    iconName: "user-profile",
                    items: accountItems(account.accessKeyId),
                    onItemClick: ({ detail }) => runAccountItem(detail.id),
                },
            ]}
        />,
        header,
    );
}
