// SPDX-License-Identifier: Apache-2.0
import { Button } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { CreateVolumeDialog } from "./create";
import { kVolumes } from "./resource";

export default function VolumesPage(): ReactNode {
    return (
        <ResourceList
            resource={kVolumes}
            buttons={() => (
                <Button variant="primary" onClick={() => openDialog(<CreateVolumeDialog />)}>
                    Create volume
                </Button>
            )}
        />
    );
}
