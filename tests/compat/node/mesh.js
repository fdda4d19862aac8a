// Starts gptmesh as its users do: the built program, on embedded stores, with
// the provider's addresses in the environment.

import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { modelOf, modelsOf, wires } from './provider/scenes.js';

const binary = process.env.GPTMESH_BIN ?? fileURLToPath(new URL('../../../bin/gptmesh', import.meta.url));

async function freeAddress() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

// The mesh makes nothing up about models that it does not know, so it is told
// what they can do. An Ollama server says it itself.
const known = (model) => model.endsWith('-embed')
  ? { capabilities: ['embedding'], embedding_length: 4 }
  : { context_length: 131072, capabilities: model === modelOf('openai', 'fill') ? ['chat', 'fim'] : ['chat', 'tools', 'vision', 'reasoning', 'json'] };

const settings = {
  log: { format: 'json', level: 'info' },
  // Long enough that only the slow scene sees one, on a busy machine too.
  gateway: Object.fromEntries(['openai', 'anthropic', 'ollama'].map((face) => [face, { heartbeat: '2s' }])),
  gpt: {
    discovery: { enabled: false },
    // Failures are the tests' subject: each has to reach the client.
    breaker: { failures: 1 << 30 },
    retry: { max_attempts: 1 },
    models: Object.fromEntries(wires.filter((wire) => wire !== 'ollama').flatMap(modelsOf).map((model) => [model, known(model)])),
  },
};

/** Starts a mesh over a provider and waits until all of it is ready. */
export async function startMesh(provider) {
  for (let tries = 1; ; tries++) {
    try {
      return await tryMesh(provider);
    } catch (err) {
      // Somebody else may take an address between its choice and its use.
      if (tries === 3 || !String(err).includes('address already in use')) throw err;
    }
  }
}

async function tryMesh(provider) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'gptmesh-compat-'));
  const [http, grpc, admin] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const file = path.join(dir, 'gptmesh.yaml');
  await writeFile(file, JSON.stringify(settings)); // JSON is YAML
  const child = spawn(binary, ['up', '--config', file, '--data', path.join(dir, 'data'), '--http', http, '--grpc', grpc, '--admin', admin], {
    cwd: dir,
    env: {
      PATH: process.env.PATH, HOME: dir, TMPDIR: os.tmpdir(),
      OPENAI_API_KEY: 'sk-scripted-openai', OPENAI_BASE_URL: `${provider.urls.openai}/v1`,
      ANTHROPIC_API_KEY: 'sk-scripted-anthropic', ANTHROPIC_BASE_URL: provider.urls.anthropic,
      OLLAMA_HOST: provider.urls.ollama,
    },
  });
  let log = '';
  let exit;
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { log = (log + text).slice(-200_000); });
  child.on('error', (err) => { exit = String(err); });
  child.on('exit', (code, signal) => { exit = `it ended: ${signal ?? code}`; });
  const killed = () => child.kill('SIGKILL');
  process.on('exit', killed);

  for (let ready = false, deadline = Date.now() + 60_000; !ready;) {
    if (exit !== undefined || Date.now() > deadline) {
      killed();
      throw new Error(`gptmesh is not ready: ${exit ?? 'no answer'}\n${log}`);
    }
    ready = await fetch(`http://${admin}/readyz`).then((res) => res.ok, () => false);
    if (!ready) await pause(20);
  }
  return {
    url: `http://${http}`,
    log: () => log,
    async stop() {
      process.off('exit', killed);
      if (exit === undefined) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await rm(dir, { recursive: true, force: true });
    },
  };
}
