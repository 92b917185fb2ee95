// SPDX-License-Identifier: Apache-2.0
// An instance's life, its volumes and their snapshots.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
    beginSignedIn,
    actions,
    choose,
    contextMenu,
    dialog,
    dismissMessage,
    open,
    row,
    select,
    story,
} from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("an instance is stopped, given volumes, snapshotted and terminated", async (t) => {
    const step = story(t);
    const { page, browser } = here;
    await beginSignedIn();

    await step("it turns Stopped by itself, still selected", async () => {
        await open("instances");
        await select("from-wizard");
        await actions("Instance state", "Stop instance");
        await browser.inspect("stop-instance");
        await dialog().getByRole("button", { name: "Stop" }).click();
        await dismissMessage(/^Stopping i-/);
        await row("from-wizard").getByText("Stopped").waitFor();
        assert.ok(await row("from-wizard").getByRole("checkbox").isChecked());
    });

    await step("its page tells its life", async () => {
        await row("from-wizard").getByRole("link", { name: /^i-/ }).click();
        for (const tab of ["Timeline", "Console text", "Storage", "Network", "Metadata options", "Tags", "Details"]) {
            await page.getByRole("tab", { name: tab }).click();
            await page.waitForTimeout(150);
            await browser.inspect(`instance-${tab.toLowerCase().replace(" ", "-")}`);
        }
        await page.getByRole("tab", { name: "Timeline" }).click();
        await page.getByText("Seen stopping → stopped").or(page.getByText("Seen running → stopped")).first().waitFor();
    });

    await step("started again from its page", async () => {
        await actions("Instance state", "Start instance");
        await dialog().getByRole("button", { name: "Start" }).click();
        await page.getByRole("tab", { name: "Details" }).click();
        await page.getByText("Running").waitFor();
        await dismissMessage(/^Starting i-/);
    });

    await step("a volume is created, attached and detached", async () => {
        await open("volumes");
        await page.getByRole("button", { name: "Create volume" }).click();
        await dialog().getByLabel("Size (GiB)").fill("4");
        await dialog().getByRole("button", { name: "Add tag" }).click();
        await dialog().getByRole("textbox", { name: "Key" }).fill("Name");
        await dialog().getByRole("textbox", { name: "Value" }).fill("scratch");
        await browser.inspect("create-volume");
        await dialog().getByRole("button", { name: "Create volume" }).click();
        await dismissMessage(/^Volume vol-\w+ created/);
        await row("scratch").getByText("Available").waitFor();
        await contextMenu("scratch", "Attach volume");
        await choose("Instance", /from-wizard/);
        await dialog().getByLabel("Device name").fill("/dev/sdg");
        await browser.inspect("attach-volume");
        await dialog().getByRole("button", { name: "Attach" }).click();
        await dismissMessage(/^Attaching vol-/);
        await row("scratch").getByText("In-use").waitFor();
        await row("scratch").locator("td").nth(2).click();
        await page.getByRole("tab", { name: "Attachments" }).click();
        await page.getByText("Attached", { exact: true }).waitFor();
        await browser.inspect("volumes");
        await actions("Modify volume");
        await dialog().getByLabel("Size (GiB)").fill("6");
        await browser.inspect("modify-volume");
        await dialog().getByRole("button", { name: "Modify" }).click();
        await dismissMessage(/^Modifying vol-/);
        await row("scratch").getByText("6 GiB").waitFor();
        await actions("Detach volume");
        await dialog().getByRole("button", { name: "Detach" }).click();
        await dismissMessage(/^Detaching vol-/);
        await row("scratch").getByText("Available").waitFor();
    });

    await step("a snapshot of it completes by itself and becomes an image", async () => {
        await actions("Create snapshot");
        await dialog().getByLabel("Description").fill("of scratch");
        await dialog().getByRole("button", { name: "Create snapshot" }).click();
        await dismissMessage(/^Snapshot snap-/);
        await open("snapshots");
        await row("of scratch").getByText("Completed").waitFor();
        await row("of scratch").locator("td").nth(2).click();
        await browser.inspect("snapshots");
        await actions("Create image from snapshot");
        await dialog().getByLabel("Image name").fill("of-snapshot");
        await dialog().getByText("Instances of this snapshot may not boot").waitFor();
        await browser.inspect("register-image");
        await dialog().getByRole("button", { name: "Create image" }).click();
        await dismissMessage(/^Image ami-\w+ registered/);
        await actions("Delete snapshot");
        await dialog().getByRole("button", { name: "Delete" }).click();
        await dialog().getByText("InvalidSnapshot.InUse").waitFor();
        await dialog().getByRole("button", { name: "Cancel" }).click();
        await page.getByRole("tab", { name: "Disk" }).click();
        await page.getByText("Does not look bootable").waitFor();
    });

    await step("an image that may not boot says why, in the list and on its page", async () => {
        await open("images");
        await row("of-snapshot").locator("td").nth(2).click();
        await page.getByText("Instances of this AMI may not boot").waitFor();
        await page.getByText("It has no partition table and no known file system").waitFor();
        const looked = "**/kiln/v1/inspect/ami-*";
        await page.route(looked, (route) => route.fulfill({ status: 503, body: "not now" }));
        await row("of-snapshot").getByRole("link", { name: /^ami-/ }).click();
        await page.getByRole("tab", { name: "Disk" }).click();
        await page.getByText("HTTP 503").waitFor();
        await browser.inspect("image-disk-failed");
        await page.unroute(looked);
        await page.getByRole("button", { name: "Try again" }).click();
        await page.getByText("Does not look bootable").waitFor();
        await page.getByText("Instances of this AMI may not boot").waitFor();
        await browser.inspect("image-disk");
    });

    await step("the launch wizard warns of it, and a dialog goes with its page", async () => {
        await actions("Launch instance from AMI");
        await page.getByText("Instances of this AMI may not boot").waitFor();
        await page.getByRole("button", { name: "Create key pair" }).click();
        await dialog().waitFor();
        await page.goBack();
        await page.getByRole("tab", { name: "Disk" }).waitFor();
        await dialog().waitFor({ state: "hidden" });
    });

    await step("terminated, it says so", async () => {
        await open("instances");
        await contextMenu("from-wizard", "Instance state", "Terminate instance");
        await dialog().getByRole("button", { name: "Terminate" }).click();
        await dismissMessage(/^Terminating i-/);
        await row("from-wizard").getByText("Terminated").waitFor();
    });

    await step("events have it all, with request ids and commands", async () => {
        await page.getByRole("link", { name: "Events" }).click();
        await page.getByText("aws ec2 terminate-instances").waitFor();
        await page
            .getByText(/running → (shutting-down|terminated)/)
            .first()
            .waitFor();
        await page.getByText("InvalidSnapshot.InUse").waitFor();
        await browser.inspect("events");
    });
});
