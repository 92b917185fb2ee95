// SPDX-License-Identifier: Apache-2.0
// Serves the built console and passes everything else on to the daemon, as the daemon itself will: same origin, a strict
// content security policy. The one-time sign-in link is imitated here.
import { createServer, request as forward } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";

const kTypes = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
};

export const kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export class Server {
    static async start(dist, daemon) {
        const server = new Server();
        server.token = undefined;
        server.http = createServer((request, response) => {
            server.answer(request, response, dist, daemon).catch((failure) => {
                response.writeHead(500).end(String(failure));
            });
        });
        await new Promise((resolve) => server.http.listen(0, "127.0.0.1", resolve));
        server.origin = `http://127.0.0.1:${server.http.address().port}`;
        server.url = `${server.origin}/console/`;
        return server;
    }

    /** A link that signs in once. */
    link() {
        this.token = "one-time-token";
        return `${this.url}#/session/${this.token}`;
    }

    async answer(request, response, dist, daemon) {
        const { pathname } = new URL(request.url, this.url);
        if (request.method === "POST" && pathname === "/console/session") {
            await this.redeem(request, response, daemon);
        } else if (request.method === "GET" && pathname.startsWith("/console/")) {
            await serveFile(response, dist, pathname.slice("/console/".length) || "index.html");
        } else {
            pass(request, response, daemon);
        }
    }

    async redeem(request, response, daemon) {
        let body = "";
        for await (const part of request) {
            body += part;
        }
        if (JSON.parse(body).token !== this.token) {
            response.writeHead(403).end();
            return;
        }
        this.token = undefined;
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ ...daemon.keys, region: "us-east-1" }));
    }

    stop() {
        this.http.closeAllConnections();
        return new Promise((resolve) => this.http.close(resolve));
    }
}

async function serveFile(response, dist, name) {
    const path = normalize(join(dist, decodeURIComponent(name)));
    try {
        const content = await readFile(path);
        response.writeHead(200, { "content-type": kTypes[extname(path)], "content-security-policy": kPolicy });
        response.end(content);
    } catch {
        response.writeHead(404).end();
    }
}

// The host header stays the browser's: it is part of what was signed.
function pass(request, response, daemon) {
    const { hostname, port } = new URL(daemon.endpoint);
    const { method, headers, url: path } = request;
    const onward = forward({ hostname, port, method, path, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
}
