// SPDX-License-Identifier: Apache-2.0
// The server as one account sees it in one region. Immutable; a switch of account or region makes another one.
import { Sha256 } from "@aws-crypto/sha256-browser";
import { EC2Client } from "@aws-sdk/client-ec2";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { HttpRequest } from "@smithy/protocol-http";
import { SignatureV4 } from "@smithy/signature-v4";
import { commands, type Input, type Operation, type Output } from "./commands";
import { asApiError, kilnError } from "./errors";
import { inspectionOf, type Inspection } from "./inspection";

export interface Keys {
    accessKeyId: string;
    secretAccessKey: string;
}

export interface Identity {
    accountId: string;
    arn: string;
}

/** Where the server sees this browser, and the range of addresses by which a rule admits it. */
export interface Whereabouts {
    address: string;
    range: string;
}

interface Sender {
    send(command: unknown): Promise<unknown>;
}

export class Client {
    private readonly ec2: EC2Client;

    constructor(
        private readonly keys: Keys,
        readonly region: string,
        private readonly origin: string = window.location.origin,
    ) {
        this.ec2 = new EC2Client({ endpoint: origin, region, credentials: keys });
    }

    async call<K extends Operation>(operation: K, input: Input<K>): Promise<Output<K>> {
        // The map pairs each operation with its own input, which the compiler cannot follow through the lookup.
        const Command = commands[operation] as unknown as new (input: Input<K>) => unknown;
        try {
            return (await (this.ec2 as unknown as Sender).send(new Command(input))) as Output<K>;
        } catch (failure) {
            throw asApiError(failure);
        }
    }

    async identity(): Promise<Identity> {
        const sts = new STSClient({ endpoint: this.origin, region: this.region, credentials: this.keys });
        try {
            const answer = await sts.send(new GetCallerIdentityCommand({}));
            return { accountId: answer.Account ?? "", arn: answer.Arn ?? "" };
        } catch (failure) {
            throw asApiError(failure);
        }
    }

    /** Names of the EC2 operations that this server builds; the others answer UnsupportedOperation. */
    async builtOperations(): Promise<ReadonlySet<string>> {
        const answer = (await this.kiln("/kiln/v1/operations")) as {
            operations: { service: string; operation: string; built: boolean }[];
        };
        const built = answer.operations.filter((entry) => entry.service === "ec2" && entry.built);
        return new Set(built.map((entry) => entry.operation));
    }

    /** What is on the disk of an image or a snapshot. The first look may take the server some seconds. */
    async inspect(id: string): Promise<Inspection> {
        return inspectionOf(await this.kiln(`/kiln/v1/inspect/${encodeURIComponent(id)}`));
    }

    async whereabouts(): Promise<Whereabouts> {
        return (await this.kiln("/kiln/v1/client")) as Whereabouts;
    }

    private async kiln(path: string): Promise<unknown> {
        const url = new URL(path, this.origin);
        const signer = new SignatureV4({
            service: "kiln",
            region: this.region,
            credentials: this.keys,
            sha256: Sha256,
        });
        const request = new HttpRequest({
            method: "GET",
            protocol: url.protocol,
            hostname: url.host,
            path,
            headers: { host: url.host },
        });
        const signed = await signer.sign(request);
        // The browser sets the host header itself and refuses to have it set.
        const { host: _host, ...headers } = signed.headers;
        try {
            const answer = await fetch(url, { headers });
            if (!answer.ok) {
                throw kilnError(answer.status, await answer.text());
            }
            return await answer.json();
        } catch (failure) {
            throw asApiError(failure);
        }
    }
}
