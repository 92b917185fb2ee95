// SPDX-License-Identifier: Apache-2.0
import { Button } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { CreateKeyPairDialog } from "./create";
import { ImportKeyPairDialog } from "./import";
import { kKeyPairs } from "./resource";

export default function KeyPairsPage(): ReactNode {
    return (
        <ResourceList
            resource={kKeyPairs}
            buttons={() => [
                <Button key="import" onClick={() => openDialog(<ImportKeyPairDialog />)}>
                    Import key pair
                </Button>,
                <Button key="create" variant="primary" onClick={() => openDialog(<CreateKeyPairDialog />)}>
                    Create key pair
                </Button>,
            ]}
        />
    );
}
