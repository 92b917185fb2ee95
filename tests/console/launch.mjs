// SPDX-License-Identifier: Apache-2.0
// Launching from the AMIs view through the wizard.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginSignedIn, actions, dialog, dismissMessage, open, row, select, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("an instance is launched from an AMI with the wizard", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    await beginSignedIn();

    await step("from the AMIs view the wizard opens with the image", async () => {
        await open("images");
        await select("golden image");
        await actions("Launch instance from AMI");
        await page.getByText("golden image (ami-").waitFor();
        await page.getByLabel("Delete /dev/xvda on termination").waitFor();
        await browser.inspect("launch");
    });

    await step("a key pair is created on the way, and downloaded", async () => {
        await page.getByRole("button", { name: "Create key pair" }).click();
        await dialog().getByLabel("Key pair name").fill("console-key");
        await browser.inspect("create-key-pair");
        const download = page.waitForEvent("download");
        await dialog().getByRole("button", { name: "Create and download" }).click();
        assert.equal((await download).suggestedFilename(), "console-key.pem");
        await dismissMessage("Key pair console-key created");
    });

    await step("a group with ssh, a larger root and another volume", async () => {
        await page.getByLabel("Name", { exact: true }).fill("from-wizard");
        await page.getByLabel("Create a security group").check();
        await page.getByLabel("Security group name").fill("wizard-group");
        await page.getByLabel("Size of /dev/xvda in GiB").fill("3");
        await page.getByRole("button", { name: "Add volume" }).click();
        await page.getByLabel("Size of /dev/sdf in GiB").fill("5");
        await page.getByRole("button", { name: "Advanced details" }).click();
        await page.getByLabel("User data").fill("#!/bin/sh\necho 'hello'\n");
        await browser.inspect("launch-filled");
    });

    await step("a mistake appears before anything is made", async () => {
        await page.getByLabel("Size of /dev/sdf in GiB").fill("0");
        await page.getByRole("button", { name: "Launch instance", exact: true }).click();
        await page
            .getByText(/^Invalid\w+(\.\w+)*: /)
            .first()
            .waitFor();
        const { SecurityGroups } = await daemon.ec2().describeSecurityGroups({});
        assert.deepEqual(
            SecurityGroups.map(({ GroupName }) => GroupName),
            ["default"],
        );
        await browser.inspect("launch-error");
    });

    await step("it runs, as the form said", async () => {
        await page.getByLabel("Size of /dev/sdf in GiB").fill("5");
        await page.getByRole("button", { name: "Launch instance", exact: true }).click();
        await page.getByText("Launched i-").first().waitFor();
        await row("from-wizard").getByText("Running").waitFor();
        const { Reservations } = await daemon
            .ec2()
            .describeInstances({ Filters: [{ Name: "tag:Name", Values: ["from-wizard"] }] });
        const [instance] = Reservations[0].Instances;
        assert.equal(instance.KeyName, "console-key");
        assert.equal(instance.SecurityGroups[0].GroupName, "wizard-group");
        assert.equal(instance.BlockDeviceMappings.length, 2);
        assert.equal(instance.MetadataOptions.HttpTokens, "required");
        const { UserData } = await daemon
            .ec2()
            .describeInstanceAttribute({ InstanceId: instance.InstanceId, Attribute: "userData" });
        assert.equal(Buffer.from(UserData.Value, "base64").toString(), "#!/bin/sh\necho 'hello'\n");
    });
});
