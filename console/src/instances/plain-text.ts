// SPDX-License-Identifier: Apache-2.0

// CSI sequences (colours, cursor), OSC sequences (titles), charset choices and single-character escapes.
const kEscapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[()][0-9A-Za-z]|[ -~])/g;
const kControls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** A terminal's text as lines: without escape sequences, each line as it was last written over. */
export function plainText(text: string): string {
    return text
        .replace(kEscapes, "")
        .replaceAll("\r\n", "\n")
        .split("\n")
        .map((line) => line.replace(/\r+$/, "").split("\r").pop() ?? "")
        .join("\n")
        .replace(kControls, "");
}
