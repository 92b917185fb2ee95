// SPDX-License-Identifier: Apache-2.0
import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Cloudscape's style sheet holds its fonts as data URLs. As files they load when they are needed, beside the first
// picture and not before it, and the content security policy need not allow data: fonts.
function fontsAsFiles(): Plugin {
    return {
        name: "fonts-as-files",
        generateBundle(_, bundle) {
            for (const sheet of Object.values(bundle)) {
                if (sheet.type !== "asset" || !sheet.fileName.endsWith(".css")) {
                    continue;
                }
                sheet.source = String(sheet.source).replace(
                    /data:font\/woff2;base64,([A-Za-z0-9+/=]+)/g,
                    (_match, encoded: string) => {
                        const font = Buffer.from(encoded, "base64");
                        const fileName = `assets/font-${createHash("sha256").update(font).digest("hex").slice(0, 8)}.woff2`;
                        this.emitFile({ type: "asset", fileName, source: font });
                        return fileName.replace("assets/", "./");
                    },
                );
            }
        },
    };
}

// Relative URLs: the daemon serves the files under a path of its choice. Nothing is inlined, so that a strict
// content security policy (no data: fonts, no inline script) holds.
export default defineConfig({
    base: "./",
    plugins: [fontsAsFiles()],
    // Loading the SDK and the components takes longer than all tests: they are loaded once.
    test: { isolate: false, pool: "threads", poolOptions: { threads: { singleThread: true } } },
    build: {
        target: "es2022",
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        chunkSizeWarningLimit: 2000,
        rollupOptions: {
            onwarn(warning, warn) {
                // "use client" marks components for servers that render; there is none here.
                if (warning.code !== "MODULE_LEVEL_DIRECTIVE") {
                    warn(warning);
                }
            },
            output: {
                manualChunks(id) {
                    if (/node_modules\/(@aws-sdk|@smithy|@aws-crypto|@aws|tslib)\//.test(id)) {
                        return "aws";
                    }
                    if (/node_modules\/(react|react-dom|scheduler)\//.test(id)) {
                        return "react";
                    }
                    return undefined;
                },
            },
        },
    },
});
