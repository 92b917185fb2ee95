// SPDX-License-Identifier: Apache-2.0
// Chromium with one page: pictures of it in light and dark, and what axe finds wrong with it.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import { chromium } from "playwright-core";

export class Browser {
    static async start(executablePath, pictures, timeout) {
        const browser = new Browser();
        browser.pictures = pictures;
        // Tests run as root in containers, where Chromium has no sandbox to offer.
        browser.chromium = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
        browser.context = await browser.chromium.newContext({
            viewport: { width: 1440, height: 900 },
            reducedMotion: "reduce",
            permissions: ["clipboard-read", "clipboard-write"],
        });
        browser.page = await browser.context.newPage();
        browser.page.setDefaultTimeout(timeout);
        browser.complaints = [];
        browser.page.on("pageerror", (error) => browser.complaints.push(error.stack ?? String(error)));
        browser.page.on("console", (message) => {
            // Refused requests are part of the story; the console shows them as failed loads.
            if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
                browser.complaints.push(message.text());
            }
        });
        if (pictures) {
            await mkdir(pictures, { recursive: true });
        }
        return browser;
    }

    /** Axe and a picture, in light and in dark, which differ in colours alone; `except` names rules that a component of
     * others breaks. */
    async inspect(name, except = []) {
        for (const dark of [false, true]) {
            await this.page.evaluate((on) => document.body.classList.toggle("awsui-dark-mode", on), dark);
            await this.picture(`${name}-${dark ? "dark" : "light"}`);
            // Legacy mode: axe need not open a page of its own to join the answers of frames; there are none.
            const axe = new AxeBuilder({ page: this.page }).setLegacyMode();
            const { violations } = await (
                dark ? axe.withRules(["color-contrast"]) : axe.disableRules(except)
            ).analyze();
            const found = violations.map(
                ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 300)).join("\n    ")}`,
            );
            assert.deepEqual(found, [], `axe, ${name}, ${dark ? "dark" : "light"}`);
        }
        await this.page.evaluate(() => document.body.classList.remove("awsui-dark-mode"));
    }

    /** Answers what the console would load with the files of a folder. */
    async serve(pattern, folder) {
        await this.page.route(pattern, (route) => {
            const { pathname } = new URL(route.request().url());
            const file = pathname.replace("/console/", "") || "index.html";
            return existsSync(join(folder, file)) ? route.fulfill({ path: join(folder, file) }) : route.continue();
        });
    }

    async picture(name) {
        if (this.pictures) {
            await this.page.screenshot({ path: join(this.pictures, `${name}.png`) });
        }
    }

    stop() {
        return this.chromium.close();
    }
}
