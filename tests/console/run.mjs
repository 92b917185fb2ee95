// SPDX-License-Identifier: Apache-2.0
// Runs stories of the console, in this order, on one daemon and in one browser:
// node run.mjs [--kiln PROGRAM] [--chromium PROGRAM] [--screenshots DIR] [--console DIR] [--guest DISK] STORY...
import { stories } from "./lib/surroundings.mjs";

for (const name of stories) {
    await import(`./${name}.mjs`);
}
