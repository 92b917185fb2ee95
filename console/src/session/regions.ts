// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from "react";
import { useSession } from "./session";

/** Names of the server's regions, sorted. */
export function useRegions(): readonly string[] {
    const { client } = useSession();
    const [regions, setRegions] = useState<readonly string[]>([client.region]);
    useEffect(() => {
        client.call("DescribeRegions", {}).then(
            ({ Regions }) => setRegions((Regions ?? []).flatMap(({ RegionName }) => RegionName ?? []).sort()),
            // The region in use stays choosable; any other call tells what is wrong.
            () => setRegions([client.region]),
        );
    }, [client]);
    return regions;
}
