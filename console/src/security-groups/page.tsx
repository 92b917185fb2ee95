// SPDX-License-Identifier: Apache-2.0
import { Button } from "@cloudscape-design/components";
import type { ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { openDialog } from "../shell/dialogs";
import { CreateSecurityGroupDialog } from "./create";
import { kSecurityGroups } from "./resource";

export default function SecurityGroupsPage(): ReactNode {
    return (
        <ResourceList
            resource={kSecurityGroups}
            buttons={() => (
                <Button variant="primary" onClick={() => openDialog(<CreateSecurityGroupDialog />)}>
                    Create security group
                </Button>
            )}
        />
    );
}
