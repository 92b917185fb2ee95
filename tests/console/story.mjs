// SPDX-License-Identifier: Apache-2.0
// The main story: sign in, make an image of a running instance, find it among the AMIs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { contextMenu, open, row, shownCommand, signIn, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("an image is made of an instance, from signing in to Available", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    const { imageId } = await daemon.importImage("base");
    const { Instances } = await daemon
        .ec2()
        .runInstances({ ImageId: imageId, InstanceType: "t2.nano", MinCount: 1, MaxCount: 1 });
    const instanceId = Instances[0].InstanceId;

    await step("a wrong secret is told in the server's words", async () => {
        await open("");
        await browser.inspect("sign-in");
        await signIn({ ...daemon.keys, secretAccessKey: "wrong" });
        await page.getByText("SignatureDoesNotMatch").waitFor();
    });

    await step("the right keys lead to the instances", async () => {
        await signIn(daemon.keys);
        await row(instanceId).getByText("Running").waitFor();
        await row(instanceId).locator("td").nth(2).click();
        await page.getByRole("tab", { name: "Details" }).waitFor();
        await browser.inspect("instances");
    });

    await step("right-click, Image and templates, Create image", async () => {
        await contextMenu(instanceId, "Image and templates", "Create image");
        await page.getByRole("heading", { name: "Volumes" }).waitFor();
        await browser.inspect("create-image");
    });

    await step("the server's error stands at the field it is about", async () => {
        await page.getByLabel("Image name").fill("base");
        await page.getByRole("button", { name: "Create image" }).click();
        await page.getByText("InvalidAMIName.Duplicate").waitFor();
        await browser.inspect("create-image-error");
    });

    await step("the command shown is one that the aws CLI takes", async () => {
        await page.getByLabel("Image name").fill("it's golden");
        await page.getByLabel("Do not reboot").check();
        const line = await shownCommand();
        assert.match(await daemon.shell(`${line} --dry-run`), /InvalidAMIName.Malformed|DryRunOperation/);
        await page.getByLabel("Image name").fill("golden image");
        assert.match(
            await daemon.shell(`${await page.locator(".command-line code").first().innerText()} --dry-run`),
            /DryRunOperation/,
        );
    });

    await step("the image turns available by itself", async () => {
        await page.getByRole("button", { name: "Add tag" }).click();
        await page.getByRole("textbox", { name: "Key" }).fill("Name");
        await page.getByRole("textbox", { name: "Value" }).fill("gold");
        await page.getByRole("button", { name: "Create image" }).click();
        const link = page.getByRole("link", { name: /^ami-/ }).first();
        await page.getByText("is being made").waitFor();
        await link.click();
        await row("golden image").getByText("Available").waitFor();
        await row("golden image").locator("td").nth(2).click();
        await browser.inspect("images");
    });
});
