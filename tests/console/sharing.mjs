// SPDX-License-Identifier: Apache-2.0
// Permissions, as both sides see them; what the server does not build; deregistering.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
    beginSignedIn,
    accountMenu,
    actions,
    contextMenu,
    dialog,
    dismissMessage,
    open,
    row,
    select,
    signIn,
    story,
} from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

async function view(name) {
    await here.page.getByRole("button", { name: /^Which images/ }).click();
    await here.page.getByRole("option", { name }).click();
}

test("images are shared, found by others, and deregistered", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    const other = await daemon.account();
    await beginSignedIn();

    await step("what the server does not build is disabled, and says so", async () => {
        const operations = "**/kiln/v1/operations";
        await page.route(operations, async (route) => {
            const answer = await (await route.fetch()).json();
            for (const entry of answer.operations) {
                entry.built &&= entry.operation !== "CopyImage";
            }
            await route.fulfill({ json: answer });
        });
        await open("images");
        await page.reload();
        await row("golden image").locator("td").nth(2).click({ button: "right" });
        const copy = page.getByRole("menuitem", { name: "Copy AMI" });
        assert.equal(await copy.getAttribute("aria-disabled"), "true");
        await copy.hover();
        await page.getByText("This server does not offer CopyImage yet.").filter({ visible: true }).first().waitFor();
        // The menu is Cloudscape's: its list items hold their reasons, and it stands outside of all landmarks.
        await browser.inspect("context-menu", ["aria-required-children", "region"]);
        await page.keyboard.press("Escape");
        await page.unroute(operations);
        await page.reload();
    });

    await step("an image is shared with an account", async () => {
        await contextMenu("golden image", "Edit AMI permissions");
        const field = dialog().getByLabel("Shared accounts");
        await field.fill("12");
        await field.press("Enter");
        await dialog().getByRole("button", { name: "Save changes" }).click();
        await dialog().getByText("InvalidAMIAttributeItemValue").waitFor();
        await dialog().getByRole("button", { name: "Remove account 12" }).click();
        await field.fill(other.accountId);
        await field.press("Enter");
        await browser.inspect("permissions");
        await dialog().getByRole("button", { name: "Save changes" }).click();
        await dismissMessage(/^Permissions of ami-/);
    });

    await step("the other account sees it under Private images", async () => {
        await accountMenu("Sign in to another account");
        await signIn(other);
        await open("instances");
        await page.getByText("No instances").waitFor();
        await browser.inspect("instances-empty");
        await open("images");
        await page.getByText("No AMIs of your own").waitFor();
        await browser.inspect("images-empty");
        await view("Private images");
        await row("golden image").waitFor();
        await select("golden image");
        await page.getByRole("button", { name: "Actions", exact: true }).click();
        const deregister = page.getByRole("menuitem", { name: "Deregister AMI" });
        assert.equal(await deregister.getAttribute("aria-disabled"), "true");
        await page.keyboard.press("Escape");
    });

    await step("made public, it is under Public images", async () => {
        await accountMenu(/Switch to/);
        await row("golden image").waitFor();
        await contextMenu("golden image", "Edit AMI permissions");
        await dialog().getByRole("radio", { name: "Public" }).check();
        await dialog().getByRole("button", { name: "Save changes" }).click();
        await dismissMessage(/^Permissions of ami-/);
        await view("Public images");
        await row("golden image").getByText("Public").waitFor();
        await page.getByLabel("Find AMIs").fill("golden");
        await page.keyboard.press("Enter");
        await page.getByText("1 match").first().waitFor();
        await browser.inspect("images-public");
    });

    await step("disabled, it is under Disabled images only", async () => {
        await page.getByRole("button", { name: "Clear filters" }).click();
        await open("images?view=self");
        await contextMenu("golden image", "AMI state", "Disable AMI");
        await browser.inspect("disable-image");
        await dialog().getByRole("button", { name: "Disable" }).click();
        await dismissMessage(/disabled$/);
        await row("golden image").waitFor({ state: "detached" });
        await view("Disabled images");
        await row("golden image").getByText("Disabled").waitFor();
    });

    await step("deregistered with its snapshots, both are gone", async () => {
        await select("golden image");
        await actions("Deregister AMI");
        await dialog().getByLabel("Delete them").check();
        await browser.inspect("deregister");
        await dialog().getByRole("button", { name: "Deregister" }).click();
        await page.getByText(/^snap-\w+ deleted$/).waitFor();
        await dismissMessage(/deregistered$/);
        await page.getByText("No disabled images").waitFor();
    });
});
