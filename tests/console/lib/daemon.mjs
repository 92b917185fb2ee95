// SPDX-License-Identifier: Apache-2.0
// One `kiln serve` on a data directory of its own, on a loopback port of the system's choice.
import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { promisify } from "node:util";

// The console's own SDK prepares what tests need.
const { EC2 } = createRequire(new URL("../../../console/package.json", import.meta.url))("@aws-sdk/client-ec2");

const run = promisify(execFile);

const kReadyMs = 60_000;
const kStopMs = 30_000;

export class Daemon {
    static async start(program, guest, ...more) {
        const daemon = new Daemon();
        daemon.program = program;
        daemon.guest = guest;
        daemon.home = await mkdtemp(join(tmpdir(), "kc-"));
        // When the daemon is root its guests run under ids of their own and must reach their sockets.
        await chmod(daemon.home, 0o711);
        daemon.data = join(daemon.home, "data");
        const log = await open(join(daemon.home, "kiln.log"), "a");
        const options = ["--data", daemon.data, "--listen", "127.0.0.1:0", "--ready-fd", "3"];
        daemon.process = spawn(
            program,
            ["serve", ...options, "--runtime-directory", join(daemon.home, "run"), ...more],
            {
                stdio: ["ignore", log.fd, log.fd, "pipe"],
            },
        );
        await log.close();
        await ready(daemon.process);
        daemon.endpoint = (await readFile(join(daemon.data, "endpoint"), "ascii")).trim();
        daemon.keys = parseKeys(await readFile(join(daemon.data, "credentials"), "utf8"));
        return daemon;
    }

    async kiln(...parameters) {
        const { stdout } = await run(this.program, [...parameters, "--data", this.data]);
        return stdout;
    }

    /** An image of the guest's disk, or of an empty one, which is all that the fake hypervisor needs. */
    async importImage(name) {
        const blank = join(this.home, "blank.raw");
        if (!this.guest) {
            await writeFile(blank, "");
            await truncate(blank, 8 << 20);
        }
        const file = this.guest ?? blank;
        return JSON.parse(await this.kiln("import", file, "--name", name, "--architecture", "x86_64", "--json"));
    }

    /** The console's first page, without or with a link's token behind it. */
    get console() {
        return `${this.endpoint}/console/`;
    }

    /** A link that signs in once. */
    async link() {
        return (await this.kiln("web")).trim();
    }

    /** Another account: its number and keys. */
    async account() {
        return JSON.parse(await this.kiln("account", "create", "--json"));
    }

    /** An EC2 client of an account: the first one unless other keys are given. */
    ec2(keys = this.keys) {
        const credentials = { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey };
        return new EC2({ endpoint: this.endpoint, region: "us-east-1", credentials });
    }

    /** Runs a line as Show as CLI gives it, in a shell where `aws` is pointed here, and answers what it wrote. */
    async shell(line) {
        const script = `aws() { /usr/bin/aws --endpoint-url ${this.endpoint} "$@"; }\n${line}`;
        const { stdout, stderr } = await run("/bin/sh", ["-c", script], { env: this.awsEnvironment() }).catch(
            (failure) => failure,
        );
        return stdout + stderr;
    }

    /** Guests outlive the daemon: they are ended before it. */
    async endMachines() {
        const ec2 = this.ec2();
        for (let tries = 0; tries < 60; tries++) {
            const { Reservations } = await ec2.describeInstances({});
            const left = Reservations.flatMap(({ Instances }) => Instances).filter(
                ({ State }) => State.Name !== "terminated",
            );
            if (left.length === 0) {
                return;
            }
            await ec2.terminateInstances({ InstanceIds: left.map(({ InstanceId }) => InstanceId) });
            await new Promise((resolve) => setTimeout(resolve, 1000));
        }
    }

    awsEnvironment() {
        return {
            PATH: process.env.PATH,
            HOME: this.home,
            AWS_ACCESS_KEY_ID: this.keys.accessKeyId,
            AWS_SECRET_ACCESS_KEY: this.keys.secretAccessKey,
            AWS_DEFAULT_REGION: "us-east-1",
            AWS_EC2_METADATA_DISABLED: "true",
            AWS_PAGER: "",
        };
    }

    async log() {
        return readFile(join(this.home, "kiln.log"), "utf8");
    }

    async stop() {
        if (this.guest) {
            await this.endMachines();
        }
        const ended = once(this.process, "exit");
        this.process.kill("SIGTERM");
        const timer = setTimeout(() => this.process.kill("SIGKILL"), kStopMs);
        await ended;
        clearTimeout(timer);
        await rm(this.home, { recursive: true, force: true });
    }
}

function parseKeys(text) {
    return {
        accessKeyId: /aws_access_key_id\s*=\s*(\S+)/.exec(text)[1],
        secretAccessKey: /aws_secret_access_key\s*=\s*(\S+)/.exec(text)[1],
    };
}

async function ready(process) {
    const failed = Promise.race([
        once(process, "exit").then(([code]) => `exit code ${code}`),
        new Promise((resolve) => setTimeout(resolve, kReadyMs, "no answer in time").unref()),
    ]);
    const outcome = await Promise.race([once(process.stdio[3], "data").then(() => undefined), failed]);
    if (outcome) {
        process.kill("SIGKILL");
        throw new Error(`kiln serve did not become ready: ${outcome}`);
    }
}
