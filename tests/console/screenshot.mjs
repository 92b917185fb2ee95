// SPDX-License-Identifier: Apache-2.0
// The picture of a guest's screen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { beginSignedIn, open, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

test("an instance's page shows its screen", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    const ec2 = daemon.ec2();
    const { imageId } = await daemon.importImage("with a screen");
    const { Instances } = await ec2.runInstances({
        ImageId: imageId,
        InstanceType: "t2.nano",
        MinCount: 1,
        MaxCount: 1,
    });
    const instanceId = Instances[0].InstanceId;
    await beginSignedIn();

    await step("the picture loads, and again by itself", async () => {
        await open(`instances/${instanceId}?tab=screenshot`);
        const picture = page.getByRole("img", { name: `Screen of ${instanceId}` });
        await picture.waitFor();
        assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
        await page.waitForRequest((request) => request.postData()?.includes("Action=GetConsoleScreenshot") ?? false);
        await browser.inspect("instance-screenshot");
    });

    await step("a failure is told, and the next try asked for", async () => {
        await page.getByRole("checkbox", { name: "Follow" }).uncheck();
        await page.route(`${daemon.endpoint}/`, (route) =>
            route.request().postData()?.includes("GetConsoleScreenshot") ? route.abort() : route.continue(),
        );
        await page.getByRole("button", { name: "Refresh the screenshot" }).click();
        await page.getByText("The server did not answer.").waitFor();
        await page.unroute(`${daemon.endpoint}/`);
        await page.getByRole("button", { name: "Refresh the screenshot" }).click();
        await page.getByText("The server did not answer.").waitFor({ state: "hidden" });
    });

    await step("a stopped instance has none, and says so", async () => {
        await ec2.stopInstances({ InstanceIds: [instanceId] });
        await page.getByRole("button", { name: "Refresh", exact: true }).click();
        await page.getByText("The instance is stopped: only a running one has a screen.").waitFor();
    });
});
