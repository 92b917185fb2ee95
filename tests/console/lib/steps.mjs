// SPDX-License-Identifier: Apache-2.0
// What people do in the console, in the words of its pages.
import assert from "node:assert/strict";
import { here } from "./surroundings.mjs";

export async function open(route) {
    await here.page.goto(`${here.daemon.console}#/${route}`);
}

/** Signs in with an access key on the page that is open. */
export async function signIn({ accessKeyId, secretAccessKey }) {
    await here.page.getByLabel("Access key ID").fill(accessKeyId);
    await here.page.getByLabel("Secret access key").fill(secretAccessKey);
    await here.page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Begins a story: signed in with the first account, whatever a story before left behind. */
export async function beginSignedIn() {
    await open("");
    await here.page.evaluate(() => (sessionStorage.clear(), localStorage.clear()));
    await here.page.reload();
    await signIn(here.daemon.keys);
    await here.page.getByRole("heading", { name: "Instances" }).waitFor();
}

export function row(text) {
    return here.page.getByRole("row").filter({ hasText: text });
}

/** Right-clicks a row and walks the menu. */
export async function contextMenu(text, ...path) {
    await row(text).locator("td").nth(2).click({ button: "right" });
    await walkMenu(path);
}

/** Opens the Actions menu and walks it. */
export async function actions(...path) {
    await here.page.getByRole("button", { name: "Actions", exact: true }).click();
    await walkMenu(path);
}

async function walkMenu(path) {
    for (const name of path) {
        await here.page.getByRole("menuitem", { name, exact: true }).click();
    }
}

/** The text of the first command line under Show as CLI. */
export async function shownCommand() {
    await here.page.getByRole("button", { name: "Show as CLI" }).click();
    return here.page.locator(".command-line code").first().innerText();
}

/** Steps of a story: after one that failed the others make no sense and are skipped; the page is pictured as it stood. */
export function story(t) {
    let failed = false;
    return (name, step) =>
        t.test(name, { skip: failed && "a step before failed" }, async () => {
            try {
                await step();
                assert.deepEqual(here.browser.complaints.splice(0), [], "errors in the page");
            } catch (failure) {
                failed = true;
                await here.browser.picture(`failed ${name}`);
                throw failure;
            }
        });
}

/** The dialog that is open. */
export function dialog() {
    return here.page.getByRole("dialog").filter({ visible: true });
}

/** Waits for a message at the top of the page, and puts it away. */
export async function dismissMessage(text) {
    await here.page.getByText(text).first().waitFor();
    await here.page.getByRole("button", { name: "Dismiss" }).first().click();
}

/** Selects the row by its checkbox. */
export async function select(text) {
    await row(text).getByRole("checkbox").check();
}

/** Chooses an option of a Cloudscape select by the text it begins with. */
export async function choose(label, option) {
    await here.page.getByLabel(label, { exact: true }).click();
    await here.page.getByRole("option", { name: option }).first().click();
}

/** Opens the account menu and chooses. */
export async function accountMenu(item) {
    await here.page
        .locator("#header")
        .getByRole("button", { name: /^Account/ })
        .click();
    await here.page.getByRole("menuitem", { name: item }).click();
}
