// SPDX-License-Identifier: Apache-2.0
// Copying an AMI into another region.
import assert from "node:assert/strict";
import { test } from "node:test";
import { actions, beginSignedIn, choose, dialog, open, row, select, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("an AMI is copied into another region", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    const { imageId } = await daemon.importImage("to copy");
    await daemon.ec2().createTags({
        Resources: [imageId],
        Tags: [{ Key: "Name", Value: "original" }],
    });
    await beginSignedIn();

    await step("the dialog offers the regions, and the command goes to the destination", async () => {
        await open("images");
        await select("to copy");
        await actions("Copy AMI");
        await choose("Destination region", "eu-west-1");
        await dialog().getByLabel("AMI copy name").fill("the copy");
        await dialog().getByLabel("AMI copy description").fill("of an original");
        await dialog().getByLabel("Copy tags").check();
        await browser.inspect("copy-image");
        await dialog().getByRole("button", { name: "Show as CLI" }).click();
        const line = await dialog().locator(".command-line code").first().innerText();
        assert.match(line, /^aws ec2 copy-image --region eu-west-1 --source-region us-east-1 /);
        assert.match(await daemon.shell(`${line} --dry-run`), /DryRunOperation/);
    });

    await step("the copy turns available there, with its tags", async () => {
        await dialog().getByRole("button", { name: "Copy AMI" }).click();
        await page.getByText(/^ami-\w+ is being made in eu-west-1$/).waitFor();
        await page.getByRole("button", { name: "Show it in eu-west-1" }).click();
        await page.getByRole("button", { name: "Region eu-west-1" }).waitFor();
        await page.getByText("the copy", { exact: true }).first().waitFor();
        await page.getByText("Available", { exact: true }).waitFor();
        await page.getByText("of an original").waitFor();
        await page.getByRole("tab", { name: "Tags" }).click();
        await page.getByText("original", { exact: true }).waitFor();
        await browser.inspect("copied-image");
    });

    await step("a name that is taken is told beside the field", async () => {
        await page.getByRole("button", { name: "Region eu-west-1" }).click();
        await page.getByRole("menuitemcheckbox", { name: "us-east-1" }).click();
        await row("to copy").getByRole("checkbox").check();
        await actions("Copy AMI");
        await dialog().getByRole("button", { name: "Copy AMI" }).click();
        await dialog()
            .getByText(/InvalidAMIName\.Duplicate/)
            .waitFor();
    });
});
