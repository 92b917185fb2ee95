// SPDX-License-Identifier: Apache-2.0
// Runs the console's tests: node run.mjs [--kiln PROGRAM] [--dist DIR] [--chromium PROGRAM] [--screenshots DIR]
import { surround } from "./lib/surroundings.mjs";

surround();
await import("./story.mjs");
await import("./launch.mjs");
await import("./sharing.mjs");
await import("./instance.mjs");
await import("./network.mjs");
await import("./paging.mjs");
await import("./session.mjs");
