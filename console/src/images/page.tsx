// SPDX-License-Identifier: Apache-2.0
import { Button, Select } from "@cloudscape-design/components";
import { useMemo, useState, type ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { navigate, useRoute } from "../shell/router";
import { imageResource, kViews, type View } from "./resource";

export default function ImagesPage(): ReactNode {
    const { query } = useRoute();
    const [view, setView] = useState<View>(
        () => kViews.find(({ value }) => value === query.get("view"))?.value ?? "self",
    );
    const resource = useMemo(() => imageResource(view), [view]);
    return (
        <ResourceList
            resource={resource}
            view={
                <Select
                    ariaLabel="Which images"
                    selectedOption={kViews.find(({ value }) => value === view) ?? null}
                    options={kViews}
                    onChange={({ detail }) => setView(detail.selectedOption.value as View)}
                />
            }
            buttons={([image, second]) => (
                <Button
                    variant="primary"
                    disabled={!image || second !== undefined || image.State !== "available"}
                    onClick={() => navigate(`#/launch?image=${image?.ImageId ?? ""}`)}
                >
                    Launch instance from AMI
                </Button>
            )}
        />
    );
}
