// SPDX-License-Identifier: Apache-2.0
// The typed client against a server of HTTP: what goes over the wire, and what comes of the answer.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { copyInput } from "../images/copy-input";
import { Client } from "./client";

interface Asked {
    body: URLSearchParams;
    authorization: string;
}

const asked: Asked[] = [];
let answer = { status: 200, xml: "" };
let server: Server;
let origin = "";

beforeAll(async () => {
    server = createServer((request, response) => {
        let body = "";
        request.on("data", (piece: Buffer) => (body += piece.toString()));
        request.on("end", () => {
            asked.push({
                body: new URLSearchParams(body),
                authorization: request.headers.authorization ?? "",
            });
            response.writeHead(answer.status, { "content-type": "text/xml" });
            response.end(answer.xml);
        });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
    server.closeAllConnections();
    server.close();
});

const client = (region: string) => new Client({ accessKeyId: "A", secretAccessKey: "S" }, region, origin);

describe("CopyImage", () => {
    const copy = { name: "a copy", description: "", withTags: true };

    it("goes to the destination region, and answers the copy's id", async () => {
        answer = {
            status: 200,
            xml: "<CopyImageResponse><requestId>r</requestId><imageId>ami-2</imageId></CopyImageResponse>",
        };
        const input = copyInput({ ImageId: "ami-1" }, "us-east-1", copy);
        expect((await client("eu-west-1").call("CopyImage", input)).ImageId).toBe("ami-2");
        const { body, authorization } = asked.pop()!;
        expect(authorization).toContain("/eu-west-1/ec2/aws4_request");
        expect(Object.fromEntries(body)).toMatchObject({
            Action: "CopyImage",
            SourceRegion: "us-east-1",
            SourceImageId: "ami-1",
            Name: "a copy",
            CopyImageTags: "true",
        });
        expect(body.has("Description")).toBe(false);
        expect(body.get("ClientToken")).toBeTruthy();
    });

    it("fails in the server's words", async () => {
        answer = {
            status: 400,
            xml: "<Response><Errors><Error><Code>InvalidAMIID.NotFound</Code><Message>No such image.</Message></Error></Errors><RequestID>r</RequestID></Response>",
        };
        const asking = client("us-east-1").call("CopyImage", copyInput({ ImageId: "ami-3" }, "eu-west-1", copy));
        await expect(asking).rejects.toMatchObject({ code: "InvalidAMIID.NotFound", message: "No such image." });
    });
});

describe("GetConsoleScreenshot", () => {
    it("answers the picture in base64", async () => {
        answer = {
            status: 200,
            xml: "<GetConsoleScreenshotResponse><instanceId>i-1</instanceId><imageData>/9j/4A==</imageData></GetConsoleScreenshotResponse>",
        };
        const { ImageData, InstanceId } = await client("us-east-1").call("GetConsoleScreenshot", { InstanceId: "i-1" });
        expect([InstanceId, ImageData]).toEqual(["i-1", "/9j/4A=="]);
        expect(asked.pop()!.body.get("Action")).toBe("GetConsoleScreenshot");
    });
});
