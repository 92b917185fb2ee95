// SPDX-License-Identifier: Apache-2.0
// What every story needs: a daemon, which serves the console, and a browser. Started before the first story, stopped
// after the last.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { after, before } from "node:test";
import { parseArgs } from "node:util";
import { Browser } from "./browser.mjs";
import { Daemon } from "./daemon.mjs";

const kRoot = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");

export const { values: options, positionals: stories } = parseArgs({
    allowPositionals: true,
    options: {
        kiln: { type: "string", default: process.env.KILN ?? resolve(kRoot, "build/kiln") },
        chromium: { type: "string", default: "/usr/bin/chromium" },
        screenshots: { type: "string" },
        // A console that `npm run build` made, instead of the one in the program: nothing need be linked again.
        console: { type: "string" },
        // A disk that boots: the stories then run on real machines and take some minutes.
        guest: { type: "string" },
    },
});

for (const [name, path] of Object.entries({ kiln: options.kiln, chromium: options.chromium })) {
    if (!existsSync(path)) {
        console.error(`${path} is missing; give another one with --${name}`);
        process.exit(2);
    }
}

export const here = {};

before(async () => {
    const machines = options.guest ? [] : ["--hypervisor", "fake", "--shutdown-grace", "1"];
    here.daemon = await Daemon.start(options.kiln, options.guest, ...machines);
    here.browser = await Browser.start(options.chromium, options.screenshots, options.guest ? 180_000 : 30_000);
    if (options.console) {
        await here.browser.serve(`${here.daemon.console}**`, options.console);
    }
    here.page = here.browser.page;
});

after(async () => {
    await here.browser?.stop();
    await here.daemon?.stop();
});
