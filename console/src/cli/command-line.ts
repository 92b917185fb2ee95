// SPDX-License-Identifier: Apache-2.0
// The aws CLI line that does what an API call does. Names follow the CLI's own rule (CamelCase to kebab-case); where the
// CLI departs from it for an operation, the departure stands in kRenamed or in its own function below.

type Values = Readonly<Record<string, unknown>>;

// Not part of what a user means: the SDK's token, and the console's own rehearsal.
const kLeftOut = new Set(["ClientToken", "DryRun", "MinCount", "MaxCount", "UserData"]);

// Structures whose only member is Value, which the CLI spells as a flag or a plain value.
const kUnwrapped = new Set([
    "DisableApiTermination",
    "DisableApiStop",
    "EbsOptimized",
    "SourceDestCheck",
    "EnaSupport",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "Description",
]);

/** CreateImage -> create-image, IpPermissions -> ip-permissions. */
export function kebab(name: string): string {
    return name
        .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
        .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
        .toLowerCase();
}

/** A word for a POSIX shell: as it is where that is safe, in single quotes otherwise. */
export function quote(word: string): string {
    return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function isStructure(value: unknown): value is Values {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

function argument(value: unknown): string[] {
    if (value instanceof Uint8Array) {
        // Version 2 of the CLI takes binary values as base64.
        return [quote(btoa(Array.from(value, (byte) => String.fromCharCode(byte)).join("")))];
    }
    if (Array.isArray(value)) {
        return value.some(isStructure) ? [quote(JSON.stringify(value))] : value.map((item) => quote(String(item)));
    }
    if (value instanceof Date) {
        return [value.toISOString()];
    }
    return [quote(isStructure(value) ? JSON.stringify(value) : String(value))];
}

function option(name: string, value: unknown): string[] {
    const flag = `--${kebab(name)}`;
    const plain = kUnwrapped.has(name) && isStructure(value) && "Value" in value ? value["Value"] : value;
    if (typeof plain === "boolean") {
        return [plain ? flag : `--no-${kebab(name)}`];
    }
    return [flag, ...argument(plain)];
}

// CreateImage's switch is a pair of its own in the CLI.
function rebootOption(value: unknown): string[] {
    return value ? ["--no-reboot"] : ["--reboot"];
}

function countOption(input: Values): string[] {
    const { MinCount: least, MaxCount: most } = input;
    if (least === undefined || most === undefined) {
        return [];
    }
    return ["--count", least === most ? String(most) : `${String(least)}:${String(most)}`];
}

// The API takes base64, the CLI plain text.
function userDataOption(input: Values): string[] {
    const encoded = input["UserData"];
    if (typeof encoded !== "string" || encoded === "") {
        return [];
    }
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    return ["--user-data", quote(new TextDecoder().decode(bytes))];
}

export function commandLine(operation: string, input: object, region: string): string {
    const values = input as Values;
    const words = ["aws", "ec2", kebab(operation), "--region", quote(region)];
    for (const [name, value] of Object.entries(values)) {
        if (value === undefined || kLeftOut.has(name)) {
            continue;
        }
        words.push(...(operation === "CreateImage" && name === "NoReboot" ? rebootOption(value) : option(name, value)));
    }
    return [...words, ...countOption(values), ...userDataOption(values)].join(" ");
}
