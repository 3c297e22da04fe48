// What an editor offers while a sweep file is written: the language server of Even Better TOML (VS Code) is spoken
// to as the editor does, about a file whose first line names the schema. What taplo makes of whole files is editor.py.

"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const repository = path.resolve(__dirname, "../..");
const programs = process.env.AUGREG_BIN ?? path.join(repository, "target/debug");
const { TaploLsp } = require(path.join(repository, ".tools/editor/package"));

const SWEEP = `\
#:schema ./sweep.schema.json
name = "mini"

[pretrain]
dataset = "fashion"
epocs = 3
resolution = "28"
wei

[executor]
gra

[dataset.fashion]
format = "idx"
spl
`;

// What is typed, and what is offered with what it says.
const COMPLETED = [
    ["wei", "weight_decay", "Decoupled, times the learning rate"],
    ["gra", "grace", "How long before its end a task is told"],
    ["spl", "splits", "What is learnt from"],
];

// What is told, and the line that is marked for it: taplo knows no more of a key than its table.
const MISTAKES = [
    ["'epocs' was unexpected", "[pretrain]"],
    ['"28" is not of type', 'resolution = "28"'],
];

function check(holds, message) {
    if (!holds) {
        console.error(`error: ${message}`);
        process.exit(1);
    }
}

// What the server needs of the world. It is not to ask the network for other schemas.
function environment(folder) {
    const silent = async (bytes) => bytes.length;
    return {
        now: () => new Date(),
        envVar: (name) => process.env[name],
        envVars: () => Object.entries(process.env),
        stdErrAtty: () => false,
        stdin: async () => new Uint8Array(),
        stdout: silent,
        stderr: silent,
        glob: () => [],
        readFile: (file) => fs.promises.readFile(file),
        writeFile: (file, bytes) => fs.promises.writeFile(file, bytes),
        urlToFilePath: (url) => decodeURI(url.slice("file://".length)),
        isAbsolute: (file) => path.isAbsolute(file),
        cwd: () => folder,
        findConfigFile: () => undefined,
        fetch: { fetch: () => Promise.reject(new Error("no network")), Headers, Request, Response },
    };
}

// An editor that has a folder open: it asks questions, and hears what is wrong with files.
async function edit(folder) {
    const answers = new Map();
    const told = [];
    let asked = 0;
    const server = await TaploLsp.initialize(environment(folder), {
        onMessage(message) {
            if (message.method === "workspace/configuration") {
                const result = message.params.items.map(() => ({ schema: { enabled: true, catalogs: [] } }));
                server.send({ jsonrpc: "2.0", id: message.id, result });
            } else if (message.method === "textDocument/publishDiagnostics") {
                told.push(...message.params.diagnostics);
            } else if (!message.method && answers.has(message.id)) {
                answers.get(message.id)(message.result ?? message.error);
            }
        },
    });
    const tell = (method, params) => server.send({ jsonrpc: "2.0", method, params });
    const ask = (method, params) =>
        new Promise((answer) => {
            answers.set(++asked, answer);
            server.send({ jsonrpc: "2.0", id: asked, method, params });
        });
    const uri = `file://${folder}`;
    const capabilities = { workspace: { configuration: true } };
    await ask("initialize", { processId: process.pid, rootUri: uri, capabilities, workspaceFolders: [{ uri, name: "study" }] });
    tell("initialized", {});
    return { ask, tell, told };
}

// A server that never answers leaves nothing to wait for, and Node.js would end as if all was well.
let ended = false;
process.on("exit", (code) => {
    if (code === 0 && !ended) {
        console.error("error: the language server has not answered");
        process.exitCode = 1;
    }
});

async function main() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "augreg-editor-"));
    process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
    fs.writeFileSync(path.join(folder, "sweep.schema.json"), execFileSync(path.join(programs, "augreg"), ["schema"]));
    const file = path.join(folder, "sweep.toml");
    fs.writeFileSync(file, SWEEP);

    const { ask, tell, told } = await edit(folder);
    const textDocument = { uri: `file://${file}`, languageId: "toml", version: 1, text: SWEEP };
    tell("textDocument/didOpen", { textDocument });
    const lines = SWEEP.split("\n");
    for (const [typed, key, says] of COMPLETED) {
        const position = { line: lines.indexOf(typed), character: typed.length };
        const offered = await ask("textDocument/completion", { textDocument, position });
        const item = (offered?.items ?? offered ?? []).find((item) => item.label === key);
        check(item, `\`${typed}\` is not completed to \`${key}\`: ${JSON.stringify(offered).slice(0, 500)}`);
        const documentation = JSON.stringify(item.documentation ?? "");
        check(documentation.includes(says), `\`${key}\` is not explained as "${says}…": ${documentation}`);
    }
    // While a line is unfinished, that alone is told.
    const finished = lines.filter((line) => !COMPLETED.some(([typed]) => typed === line));
    const change = { textDocument: { ...textDocument, version: 2 }, contentChanges: [{ text: finished.join("\n") }] };
    tell("textDocument/didChange", change);
    for (const [says, line] of MISTAKES) {
        const isIt = ({ message, range }) => message.includes(says) && range.start.line === finished.indexOf(line);
        for (let waited = 0; waited < 100 && !told.some(isIt); waited++) {
            await new Promise((done) => setTimeout(done, 100));
        }
        check(told.some(isIt), `\`${says}\` is not told at \`${line}\`: ${JSON.stringify(told)}`);
    }
    console.log(`Even Better TOML completes ${COMPLETED.length} keys and marks ${MISTAKES.length} mistakes`);
    ended = true;
    process.exit(0);
}

main().catch((error) => check(false, error.stack));
