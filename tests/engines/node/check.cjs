#!/usr/bin/env node
// Checks what comes as JSON on the standard input, {name: thing}, and writes {name: [what is wrong]}.
//
//     check.cjs flux     queries, by the language server of Flux
//     check.cjs types    dashboards, by the TypeScript compiler against Grafana's schema
"use strict";
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const packages = path.join(__dirname, "node_modules");

async function flux(queries) {
  for (const level of ["log", "info", "warn", "error"]) console[level] = () => {}; // where the server writes its log
  const { Lsp } = require(path.join(packages, "@influxdata/flux-lsp-node"));
  const found = {};
  for (const [name, text] of Object.entries(queries)) {
    const server = new Lsp();
    server.onMessage((message) => {
      const { method, params } = JSON.parse(message);
      if (method === "textDocument/publishDiagnostics")
        found[name] = params.diagnostics
          .filter((one) => one.severity === 1)
          .map((one) => `${one.range.start.line + 1}:${one.range.start.character + 1} ${one.message}`);
    });
    server.run(); // for as long as the process lives
    const send = (message) => server.send(JSON.stringify({ jsonrpc: "2.0", ...message }));
    await send({ id: 1, method: "initialize", params: { capabilities: {} } });
    await send({ method: "initialized", params: {} });
    const textDocument = { uri: "file:///query.flux", languageId: "flux", version: 1, text };
    await send({ method: "textDocument/didOpen", params: { textDocument } });
  }
  return found;
}

function types(dashboards) {
  const room = fs.mkdtempSync(path.join(os.tmpdir(), "dashboards-"));
  try {
    fs.symlinkSync(packages, path.join(room, "node_modules"));
    fs.copyFileSync(path.join(__dirname, "shape.ts"), path.join(room, "shape.ts"));
    const head = 'import type { Provisioned } from "./shape";\nexport const dashboard: Provisioned = ';
    for (const [name, document] of Object.entries(dashboards))
      fs.writeFileSync(path.join(room, `${name}.ts`), head + JSON.stringify(document, null, 1));
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"];
    const modules = ["--module", "esnext", "--moduleResolution", "bundler", "--pretty", "false"];
    const files = Object.keys(dashboards).map((name) => `${name}.ts`);
    const lines = output([path.join(packages, "typescript/bin/tsc"), ...options, ...modules, ...files], room);
    const found = Object.fromEntries(Object.keys(dashboards).map((name) => [name, []]));
    for (const line of lines.split("\n"))
      if (/^\S/.test(line)) (found[line.split(".ts(")[0]] ??= []).push(line); // what is indented explains it further
    return found;
  } finally {
    fs.rmSync(room, { recursive: true });
  }
}

function output(command, cwd) {
  try {
    return execFileSync(process.execPath, command, { cwd, encoding: "utf-8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    return error.stdout || String(error); // it ends with 1 where something is wrong
  }
}

async function main(what) {
  if (what === "--version") {
    const versions = ["@grafana/schema", "@influxdata/flux-lsp-node", "typescript"];
    return versions.map((name) => `${name} ${require(path.join(packages, name, "package.json")).version}`).join("\n");
  }
  const given = JSON.parse(fs.readFileSync(0, "utf-8"));
  return JSON.stringify(await { flux, types }[what](given));
}

main(process.argv[2]).then((text) => process.stdout.write(`${text}\n`, () => process.exit(0)));
