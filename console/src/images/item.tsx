// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import type { RouteProps } from "../app";
import { ItemPage } from "../list/item-page";
import { kImages } from "./resource";

export default function ImagePage({ parameters: [id = ""] }: RouteProps): ReactNode {
    return <ItemPage resource={kImages} id={id} />;
}
