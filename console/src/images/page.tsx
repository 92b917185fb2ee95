// SPDX-License-Identifier: Apache-2.0
import { Button, Select } from "@cloudscape-design/components";
import { useMemo, type ReactNode } from "react";
import { ResourceList } from "../list/resource-list";
import { navigate, useRoute } from "../shell/router";
import { imageResource, kViews } from "./resource";

export default function ImagesPage(): ReactNode {
    const { query } = useRoute();
    const wanted = query.get("view");
    const view = kViews.find(({ value }) => value === wanted)?.value ?? "self";
    const resource = useMemo(() => imageResource(view), [view]);
    return (
        <ResourceList
            resource={resource}
            view={
                <Select
                    ariaLabel="Which images"
                    selectedOption={kViews.find(({ value }) => value === view) ?? null}
                    options={kViews}
                    onChange={({ detail }) => navigate(`#/images?view=${detail.selectedOption.value ?? "self"}`)}
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
