// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import type { RouteProps } from "../app";
import { ItemPage } from "../list/item-page";
import { kSecurityGroups } from "./resource";

export default function SecurityGroupPage({ parameters: [id = ""] }: RouteProps): ReactNode {
    return <ItemPage resource={kSecurityGroups} id={id} />;
}
