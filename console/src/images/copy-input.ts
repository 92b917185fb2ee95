// SPDX-License-Identifier: Apache-2.0
import type { Image } from "@aws-sdk/client-ec2";
import type { Input } from "../api/commands";

export interface Copy {
    name: string;
    description: string;
    withTags: boolean;
}

/** What the destination region is asked; `sourceRegion` is where the image lies. */
export function copyInput(image: Image, sourceRegion: string, copy: Copy): Input<"CopyImage"> {
    return {
        SourceRegion: sourceRegion,
        SourceImageId: image.ImageId ?? "",
        Name: copy.name,
        Description: copy.description || undefined,
        CopyImageTags: copy.withTags || undefined,
    };
}
