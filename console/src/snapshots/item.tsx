// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import type { RouteProps } from "../app";
import { ItemPage } from "../list/item-page";
import { kSnapshots } from "./resource";

export default function SnapshotPage({ parameters: [id = ""] }: RouteProps): ReactNode {
    return <ItemPage resource={kSnapshots} id={id} />;
}
