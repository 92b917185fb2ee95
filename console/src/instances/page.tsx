// SPDX-License-Identifier: Apache-2.0
import { Button } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { navigate } from "../shell/router";
import { kInstances } from "./resource";

export default function InstancesPage(): ReactNode {
    return (
        <ResourceList
            resource={kInstances}
            buttons={() => (
                <Button variant="primary" onClick={() => navigate("#/launch")}>
                    Launch instance
                </Button>
            )}
        />
    );
}
