// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { matches, plan, tokensOf } from "./query";

describe("plans", () => {
    it("ask for everything without tokens", () => {
        expect(plan([], [], ["name"])).toEqual({ streams: [[]], words: [] });
    });

    it("turn equals and contains into EC2 patterns", () => {
        const tokens = [
            { propertyKey: "name", operator: "=", value: "a*b" },
            { propertyKey: "description", operator: ":", value: "web" },
        ];
        expect(plan(tokens, [], []).streams).toEqual([
            [
                { Name: "name", Values: ["a\\*b"] },
                { Name: "description", Values: ["*web*"] },
            ],
        ]);
    });

    it("take several values of one attribute as alternatives", () => {
        const tokens = [
            { propertyKey: "state", operator: "=", value: "pending" },
            { propertyKey: "state", operator: "=", value: "available" },
        ];
        expect(plan(tokens, [], []).streams).toEqual([[{ Name: "state", Values: ["pending", "available"] }]]);
    });

    it("look for a word in every search attribute, one request each", () => {
        const { streams, words } = plan([{ operator: ":", value: "Web" }], [], ["name", "description"]);
        expect(streams).toEqual([[{ Name: "name", Values: ["*Web*"] }], [{ Name: "description", Values: ["*Web*"] }]]);
        expect(words).toEqual([]);
    });

    it("leave further words to the browser", () => {
        const tokens = ["web", "Old"].map((value) => ({ operator: ":", value }));
        expect(plan(tokens, [], ["name"]).words).toEqual(["old"]);
    });
});

describe("words", () => {
    it("match anywhere in an item, tags included", () => {
        const item = { Name: "Web", Tags: [{ Key: "stage", Value: 'say "hi"' }] };
        expect(matches(item, ["web", "stage"])).toBe(true);
        expect(matches(item, ['"hi"'])).toBe(true);
        expect(matches(item, ["db"])).toBe(false);
    });
});

describe("routes", () => {
    it("set filters by known attributes only", () => {
        const query = new URLSearchParams("image-id=ami-1&view=self");
        expect(tokensOf(query, new Set(["image-id"]))).toEqual([
            { propertyKey: "image-id", operator: "=", value: "ami-1" },
        ]);
    });
});
