// SPDX-License-Identifier: Apache-2.0
// Runs the console's stories: node run.mjs [--kiln PROGRAM] [--chromium PROGRAM] [--screenshots DIR] [--guest DISK]
import "./lib/surroundings.mjs";
import "./story.mjs";
import "./launch.mjs";
import "./sharing.mjs";
import "./instance.mjs";
import "./network.mjs";
import "./paging.mjs";
import "./session.mjs";
