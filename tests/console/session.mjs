// SPDX-License-Identifier: Apache-2.0
// Signing in and out, regions, appearance, a server that does not answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { accountMenu, open, row, signIn, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("sessions, regions and appearance", async (t) => {
    const step = story(t);
    const { daemon, page } = here;
    const stored = (storage) => page.evaluate((name) => window[name].getItem("kiln.accounts"), storage);

    await step("a one-time link signs in once", async () => {
        await page.evaluate(() => sessionStorage.clear());
        await page.goto("about:blank");
        const link = await daemon.link();
        await page.goto(link);
        await page.getByRole("heading", { name: "Instances" }).waitFor();
        await page.goto("about:blank");
        await page.goto(link);
        await page.getByText("This sign-in link was used already").waitFor();
        await page.getByRole("button", { name: new RegExp(daemon.keys.accessKeyId) }).click();
    });

    await step("another region is another world", async () => {
        await open("images");
        await row(/many-/).first().waitFor();
        await page.getByRole("button", { name: "Region us-east-1" }).click();
        await page.getByRole("menuitemcheckbox", { name: "eu-west-1" }).click();
        await page.getByText("No AMIs of your own").waitFor();
        await page.getByRole("button", { name: "Region eu-west-1" }).click();
        await page.getByRole("menuitemcheckbox", { name: "us-east-1" }).click();
        await row(/many-/).first().waitFor();
    });

    await step("compact density is remembered", async () => {
        await page.getByRole("button", { name: "Appearance" }).click();
        await page.getByRole("menuitemcheckbox", { name: "Compact density" }).click();
        await page.reload();
        await row(/many-/).first().waitFor();
        assert.ok(await page.evaluate(() => document.body.classList.contains("awsui-compact-mode")));
        await here.browser.inspect("images-compact");
    });

    await step("a server that does not answer is told as such, and tried again", async () => {
        await page.route(daemon.endpoint + "/", (route) => route.abort());
        await page.getByRole("button", { name: "Refresh" }).click();
        await page.getByText("The server did not answer.").waitFor();
        await here.browser.inspect("unreachable");
        await page.unroute(daemon.endpoint + "/");
        await page.getByRole("button", { name: "Try again" }).click();
        await page.getByText("The server did not answer.").waitFor({ state: "hidden" });
    });

    await step("signed out, no key is left behind", async () => {
        await accountMenu("Sign out");
        await page.getByLabel("Access key ID").waitFor();
        assert.ok(!(await stored("sessionStorage")).includes(daemon.keys.secretAccessKey));
        assert.equal(await stored("localStorage"), null);
    });

    await step("remembered, the keys outlive the tab", async () => {
        await page.getByLabel("Remember on this computer").check();
        await signIn(daemon.keys);
        await page.getByRole("heading", { name: "AMIs" }).waitFor();
        await page.evaluate(() => sessionStorage.clear());
        await page.reload();
        await page.getByRole("heading", { name: "AMIs" }).waitFor();
        await accountMenu("Sign out");
        await page.getByLabel("Access key ID").waitFor();
        assert.equal(await stored("localStorage"), null);
    });
});
