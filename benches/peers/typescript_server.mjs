// The two tools on the TypeScript SDK, version 2: over standard input and output, or with `http PORT` over HTTP.
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod/v4';

function server() {
    const server = new McpServer({ name: 'peer', version: '1.0.0' });
    const count = {
        description: 'Count words and characters',
        inputSchema: z.object({ text: z.string(), unique: z.boolean().default(false) }),
        outputSchema: z.object({ words: z.number().int(), chars: z.number().int() }),
    };
    server.registerTool('word_count', count, async ({ text, unique }) => {
        const all = text.split(/\s+/).filter((word) => word !== '');
        const structuredContent = { words: unique ? new Set(all).size : all.length, chars: [...text].length };
        return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent };
    });
    const echo = { description: 'Echo the text', inputSchema: z.object({ text: z.string() }) };
    server.registerTool('echo', echo, async ({ text }) => ({ content: [{ type: 'text', text }] }));
    return server;
}

const [, , how, port] = process.argv;
if (how === 'http') {
    const handler = toNodeHandler(createMcpHandler(server));
    createServer((request, response) => void handler(request, response)).listen(Number(port), '127.0.0.1');
} else {
    serveStdio(server);
}
