// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from "vitest";
import { Client } from "./client";
import { kilnError } from "./errors";
import { inspectionOf } from "./inspection";

const kDebian = {
    imageId: "ami-1",
    disk: {
        architecture: "x86_64",
        bootMode: "uefi-preferred",
        bootWarnings: [],
        os: { id: "debian", name: "Debian GNU/Linux 12 (bookworm)", cloudInit: true },
        partitionTable: "gpt",
        partitions: [
            { number: 1, fileSystem: "ext4", label: "root", contentsRead: true },
            { number: 14, use: "BIOS boot" },
        ],
        rootPartition: 1,
    },
    warnings: ["The image says arm64, its disk is for x86_64."],
};

describe("what is on a disk", () => {
    it("is told in a few words", () => {
        expect(inspectionOf(kDebian)).toEqual({
            disk: {
                bootWarnings: [],
                system: "Debian GNU/Linux 12 (bookworm), cloud-init",
                architecture: "x86_64",
                bootMode: "uefi-preferred",
                partitions: "GPT: 1 ext4 root, 14 (BIOS boot)",
                root: "Partition 1",
            },
            notRead: undefined,
            warnings: ["The image says arm64, its disk is for x86_64."],
        });
    });

    it("of a snapshot warns of what keeps it from booting", () => {
        const { warnings, disk } = inspectionOf({
            disk: { bootWarnings: ["It is empty."], partitionTable: "none", partitions: [{ offset: 0 }] },
        });
        expect(warnings).toEqual(["It is empty."]);
        expect(disk?.partitions).toBe("No partition table: nothing known");
        expect(disk?.system).toBeUndefined();
    });

    it("may be unknown, in whole or in part", () => {
        expect(inspectionOf({ diskNotRead: "it has no root snapshot", warnings: [] })).toEqual({
            disk: undefined,
            notRead: "it has no root snapshot",
            warnings: [],
        });
        expect(inspectionOf({ disk: { fileSystemsNotRead: "no sandbox" } }).disk?.system).toBe("Not told: no sandbox");
        expect(inspectionOf({ disk: { rootPartition: 0, os: {} } }).disk).toMatchObject({
            root: "The whole disk",
            system: "A system without a name",
        });
    });
});

describe("calls under /kiln/v1/", () => {
    afterEach(() => vi.unstubAllGlobals());

    it("are signed, and fail in the server's words", async () => {
        const answers = [
            new Response(JSON.stringify(kDebian)),
            new Response(`{"code":"InvalidAMIID.NotFound","message":"No.","requestId":"r"}`, { status: 400 }),
        ];
        const asked: [URL, RequestInit][] = [];
        vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
            asked.push([url, init]);
            return answers.shift();
        });
        const client = new Client({ accessKeyId: "A", secretAccessKey: "S" }, "eu-west-1", "http://kiln:7930");
        expect((await client.inspect("ami-1")).disk?.architecture).toBe("x86_64");
        expect(asked[0]?.[0].href).toBe("http://kiln:7930/kiln/v1/inspect/ami-1");
        expect(JSON.stringify(asked[0]?.[1].headers)).toContain("/eu-west-1/kiln/aws4_request");
        await expect(client.inspect("ami-2")).rejects.toMatchObject({ code: "InvalidAMIID.NotFound", requestId: "r" });
    });

    it("tell what a proxy in between said", () => {
        expect(kilnError(502, "<html>")).toMatchObject({ code: "HTTP 502", message: "<html>" });
    });
});
