// SPDX-License-Identifier: Apache-2.0
// Key pairs and security groups.
import { test } from "node:test";
import { beginSignedIn, actions, dialog, dismissMessage, open, row, select, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

const kPublicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIm0xUVGaLvQOnCWL/Nh1JHWXwyvqUFWbYmwyhF0iwRI";

test("key pairs and security groups", async (t) => {
    const step = story(t);
    const { page, browser } = here;
    await beginSignedIn();

    await step("a key is imported, or refused beside its field", async () => {
        await open("key-pairs");
        await page.getByRole("button", { name: "Import key pair" }).click();
        await dialog().getByLabel("Key pair name").fill("imported");
        await dialog().getByLabel("Public key").fill("nonsense");
        await dialog().getByRole("button", { name: "Import" }).click();
        await dialog().getByText("InvalidKey.Format").waitFor();
        await browser.inspect("import-key-pair");
        await dialog().getByLabel("Public key").fill(kPublicKey);
        await dialog().getByRole("button", { name: "Import" }).click();
        await dismissMessage("Key pair imported imported");
        await row("imported").locator("td").nth(2).click();
        await page.getByText("ssh-ed25519 AAAA").waitFor();
        await browser.inspect("key-pairs");
    });

    await step("a group gets a rule and loses it", async () => {
        await open("security-groups");
        await row("default").locator("td").nth(2).click();
        await page.getByRole("tab", { name: "Inbound rules" }).waitFor();
        await browser.inspect("security-groups");
        await page.getByRole("button", { name: "Create security group" }).click();
        await dialog().getByLabel("Group name").fill("web");
        await dialog().getByLabel("Description").fill("Web servers");
        await dialog().getByRole("button", { name: "Create" }).click();
        await dismissMessage("Security group web created");
        await page.getByRole("button", { name: "Add rule" }).click();
        await dialog().getByText("My address: this server's host (127.0.0.0/8)").waitFor();
        await browser.inspect("add-rule");
        await dialog().getByRole("button", { name: "Add rule" }).click();
        await dismissMessage(/^Rule added/);
        await page.getByText("127.0.0.0/8").waitFor();
        await browser.inspect("security-group");
        await page.getByRole("button", { name: /^Remove rule sgr-/ }).click();
        await dialog().getByRole("button", { name: "Remove" }).click();
        await dismissMessage(/^Rule removed/);
        await page.getByText("No rules: nobody gets in.").waitFor();
    });

    await step("a group that is not needed is deleted", async () => {
        await open("security-groups");
        await select("Web servers");
        await actions("Delete security group");
        await dialog().getByRole("button", { name: "Delete" }).click();
        await dismissMessage("Deleted: web");
        await row("Web servers").waitFor({ state: "detached" });
    });
});
