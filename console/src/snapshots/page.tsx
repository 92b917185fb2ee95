// SPDX-License-Identifier: Apache-2.0
import { Button } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { CreateSnapshotDialog } from "./create";
import { kSnapshots } from "./resource";

export default function SnapshotsPage(): ReactNode {
    return (
        <ResourceList
            resource={kSnapshots}
            buttons={() => (
                <Button variant="primary" onClick={() => openDialog(<CreateSnapshotDialog />)}>
                    Create snapshot
                </Button>
            )}
        />
    );
}
