// SPDX-License-Identifier: Apache-2.0
// usage: node_llama.mjs PACKAGE MODEL PORT
//
// An OpenAI-shaped chat server around node-llama-cpp: a host of an older libllama. PACKAGE is the folder
// that holds node_modules. One request at a time; a request runs to its max_tokens.
import http from "node:http";
import {createRequire} from "node:module";
import {pathToFileURL} from "node:url";
import path from "node:path";

const [packageFolder, modelPath, port] = process.argv.slice(2);
const entry = createRequire(path.join(packageFolder, "x.js")).resolve("node-llama-cpp");
const {getLlama} = await import(pathToFileURL(entry));
const llama = await getLlama({gpu: false, build: "never", progressLogs: false, logLevel: "error"});
const model = await llama.loadModel({modelPath});
const context = await model.createContext({contextSize: 1024, threads: 1});
const sequence = context.getSequence();
let last = Promise.resolve();

async function* generate(prompt, count) {
    await sequence.clearHistory();
    for await (const token of sequence.evaluate(prompt, {temperature: 0.8})) {
        yield model.detokenize([token]);
        if (--count === 0)
            break;
    }
}

function event(response, fields) {
    response.write(`data: ${JSON.stringify({object: "chat.completion.chunk", model: "tiny", ...fields})}\n\n`);
}

async function answer(request, response) {
    let body = "";
    for await (const piece of request)
        body += piece;
    const {messages, max_tokens: count = 16} = JSON.parse(body);
    const prompt = model.tokenize(messages.map(m => m.content).join("\n"));
    let written = 0;
    response.writeHead(200, {"Content-Type": "text/event-stream"});
    for await (const content of generate(prompt, count)) {
        event(response, {choices: [{index: 0, delta: {content}, finish_reason: null}]});
        written++;
    }
    event(response, {choices: [{index: 0, delta: {}, finish_reason: "length"}],
        usage: {prompt_tokens: prompt.length, completion_tokens: written, total_tokens: prompt.length + written}});
    response.end("data: [DONE]\n\n");
}

http.createServer((request, response) => {
    last = last.then(() => answer(request, response)).catch(error => {
        console.error(error);
        response.destroy();
    });
}).listen(Number(port), "127.0.0.1");
