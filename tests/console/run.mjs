// SPDX-License-Identifier: Apache-2.0
// Runs the console's tests: node run.mjs [--kiln PROGRAM] [--dist DIR] [--chromium PROGRAM] [--screenshots DIR]
import "./story.mjs";
