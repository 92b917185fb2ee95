// SPDX-License-Identifier: Apache-2.0
import { Box, Spinner } from "@cloudscape-design/components";
import { lazy, Suspense, type ComponentType, type ReactNode } from "react";
import { accounts, currentAccount } from "./session/accounts";
import { SessionProvider } from "./session/session";
import { SignIn } from "./session/sign-in";
import { DialogHost } from "./shell/dialogs";
import { useFlashesPerPage } from "./shell/flash";
import { Page } from "./shell/page";
import { useRoute } from "./shell/router";
import { useStore } from "./shell/store";
import { TopBar } from "./shell/top-bar";

export interface RouteProps {
    /** The parts of the path that a pattern leaves open. */
    parameters: readonly string[];
}

type Pattern = readonly string[];

const kRoutes: readonly (readonly [Pattern, ComponentType<RouteProps>])[] = [
    [["instances"], lazy(() => import("./instances/page"))],
    [["instances", ":"], lazy(() => import("./instances/item"))],
    [["instances", ":", "create-image"], lazy(() => import("./instances/create-image"))],
    [["images"], lazy(() => import("./images/page"))],
    [["images", ":"], lazy(() => import("./images/item"))],
    [["volumes"], lazy(() => import("./volumes/page"))],
    [["volumes", ":"], lazy(() => import("./volumes/item"))],
    [["snapshots"], lazy(() => import("./snapshots/page"))],
    [["snapshots", ":"], lazy(() => import("./snapshots/item"))],
    [["security-groups"], lazy(() => import("./security-groups/page"))],
    [["security-groups", ":"], lazy(() => import("./security-groups/item"))],
    [["key-pairs"], lazy(() => import("./key-pairs/page"))],
    [["events"], lazy(() => import("./events/page"))],
    [["launch"], lazy(() => import("./launch/page"))],
];

function parametersOf(pattern: Pattern, path: readonly string[]): readonly string[] | undefined {
    if (pattern.length !== path.length || !pattern.every((part, at) => part === ":" || part === path[at])) {
        return undefined;
    }
    return path.filter((_, at) => pattern[at] === ":");
}

function CurrentPage(): ReactNode {
    const { path } = useRoute();
    const wanted = path.length > 0 ? path : ["instances"];
    for (const [pattern, Screen] of kRoutes) {
        const parameters = parametersOf(pattern, wanted);
        if (parameters) {
            return <Screen key={wanted.join("/")} parameters={parameters} />;
        }
    }
    return (
        <Page title="Not found">
            <Box>There is no such page. The navigation leads to those there are.</Box>
        </Page>
    );
}

export function App(): ReactNode {
    const account = currentAccount(useStore(accounts));
    const { path } = useRoute();
    useFlashesPerPage();
    if (!account || path[0] === "session") {
        return <SignIn />;
    }
    return (
        // Nothing of one account or region is carried over into another.
        <SessionProvider key={`${account.accessKeyId} ${account.region}`} account={account}>
            <TopBar />
            <Suspense
                fallback={
                    <Box textAlign="center" padding="xxl">
                        <Spinner size="large" />
                    </Box>
                }
            >
                <CurrentPage />
            </Suspense>
            <DialogHost />
        </SessionProvider>
    );
}
