// SPDX-License-Identifier: Apache-2.0
// More images than one request brings; the keyboard.
import { test } from "node:test";
import { beginSignedIn, dialog, open, row, story } from "./lib/steps.mjs";
import { here } from "./lib/surroundings.mjs";

const kImages = 1120;

async function registerMany(ec2, snapshotId) {
    const register = (index) =>
        ec2.registerImage({
            Name: `many-${String(index).padStart(4, "0")}`,
            Description: index === 1113 ? "the needle" : "hay",
            RootDeviceName: "/dev/xvda",
            BlockDeviceMappings: [{ DeviceName: "/dev/xvda", Ebs: { SnapshotId: snapshotId } }],
        });
    for (let first = 0; first < kImages; first += 20) {
        await Promise.all(Array.from({ length: Math.min(20, kImages - first) }, (_, at) => register(first + at)));
    }
}

test("many images are paged, found, and acted on by keyboard", async (t) => {
    const step = story(t);
    const { daemon, page, browser } = here;
    const { snapshotId } = await daemon.importImage("many");
    await registerMany(daemon.ec2(), snapshotId);
    await beginSignedIn();

    await step("the list loads as far as one pages", async () => {
        await page.evaluate(() => localStorage.setItem("kiln.table.images", JSON.stringify({ pageSize: 100 })));
        await open("images");
        await page.getByText("(1,000+)").waitFor();
        // The newest of all, not of those loaded first.
        await page
            .getByRole("row")
            .nth(1)
            .getByText(/many-11[01]\d/)
            .waitFor();
        await browser.inspect("images-many");
        for (let turned = 0; turned < 10; turned++) {
            await page.getByRole("button", { name: "Next page" }).click();
        }
        await page.getByText(/\(1,12\d\)/).waitFor();
        await page.getByRole("button", { name: "Next page" }).click();
        await row("many-0000").waitFor();
    });

    await step("the server finds by keyword and by attribute", async () => {
        await page.getByLabel("Find AMIs").fill("needle");
        await page.keyboard.press("Enter");
        await row("many-1113").waitFor();
        await page.getByText("1 match").first().waitFor();
        await page.getByRole("button", { name: "Clear filters" }).click();
        await page.getByLabel("Find AMIs").fill("AMI name : many-00");
        await page.keyboard.press("Enter");
        await page.getByText("100 matches").first().waitFor();
    });

    await step("menus are used by keyboard, and give the focus back", async () => {
        const permissions = page.getByRole("menuitem", { name: "Edit AMI permissions" });
        await row(/many-/).first().locator("td").nth(2).click({ button: "right" });
        await permissions.waitFor();
        await page.keyboard.press("Escape");
        await permissions.waitFor({ state: "hidden" });
        const button = page.getByRole("button", { name: "Actions", exact: true });
        await button.focus();
        await page.keyboard.press("Enter");
        await permissions.waitFor();
        // The entry after the first is disabled, yet read out with its reason.
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("ArrowDown");
        await page.keyboard.press("Enter");
        await dialog().getByRole("radio", { name: "Public" }).waitFor();
        await page.keyboard.press("Escape");
        await dialog().waitFor({ state: "hidden" });
    });
});
