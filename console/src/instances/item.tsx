// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import type { RouteProps } from "../app";
import { ItemPage } from "../list/item-page";
import { kInstances } from "./resource";

export default function InstancePage({ parameters: [id = ""] }: RouteProps): ReactNode {
    return <ItemPage resource={kInstances} id={id} />;
}
