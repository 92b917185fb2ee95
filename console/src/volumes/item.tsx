// SPDX-License-Identifier: Apache-2.0
import type { ReactNode } from "react";
import type { RouteProps } from "../app";
import { ItemPage } from "../list/item-page";
import { kVolumes } from "./resource";

export default function VolumePage({ parameters: [id = ""] }: RouteProps): ReactNode {
    return <ItemPage resource={kVolumes} id={id} />;
}
