// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { failureOf } from "./failure";
import { plainText } from "./plain-text";
import { transitionTime } from "./timeline";

describe("console text", () => {
    it("loses colours, cursor movements and titles", () => {
        expect(plainText("\u001b[1;32m OK \u001b[0m Started\u001b]0;title\u0007\u001b[K.\r\n")).toBe(" OK  Started.\n");
    });

    it("shows a line as it was last written over", () => {
        expect(plainText("10%\r50%\r100%\r\ndone")).toBe("100%\ndone");
    });
});

describe("transition reasons", () => {
    it("tell their time", () => {
        expect(transitionTime("User initiated (2025-06-01 12:00:00 GMT)")?.toISOString()).toBe(
            "2025-06-01T12:00:00.000Z",
        );
        expect(transitionTime("")).toBeUndefined();
    });
});

describe("instances that end by themselves", () => {
    it("say why, unless somebody ended them", () => {
        const ended = (Code: string) =>
            failureOf({ State: { Name: "terminated" }, StateReason: { Code, Message: "Why" } });
        expect(ended("Server.InternalError")).toBe("Why");
        expect(ended("Client.UserInitiatedShutdown")).toBeUndefined();
        expect(failureOf({ State: { Name: "running" } })).toBeUndefined();
    });
});
