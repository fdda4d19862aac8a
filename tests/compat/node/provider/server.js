// A provider of models that answers on three addresses, as OpenAI, Anthropic and
// Ollama do. It keeps what it was sent and tells when a caller left.

import http from 'node:http';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { stepsOf, wires } from './scenes.js';
import * as anthropic from './anthropic.js';
import * as ollama from './ollama.js';
import * as openai from './openai.js';

const dialects = { openai, anthropic, ollama };

// A scene that waits for its test goes on by itself after this long: some
// clients show nothing before the end.
const patience = 1000;

/** Starts the three servers. */
export async function startProvider() {
  const provider = new Provider();
  for (const wire of wires) {
    const server = http.createServer((req, res) => provider.serve(wire, req, res).catch((err) => res.destroy(err)));
    // A connection that is closed just when it is used again is nobody's fault.
    server.keepAliveTimeout = 600_000;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    provider.urls[wire] = `http://127.0.0.1:${server.address().port}`;
    provider.servers.push(server);
  }
  return provider;
}

class Provider {
  /** The address of each wire. */
  urls = {};
  servers = [];
  /** The calls since the last forget(), in order: wire, path, headers, raw, body, left. */
  calls = [];
  #waiting = new Set();

  /** Forgets what was sent so far. */
  forget() { this.calls = []; }

  /** Lets the scenes that wait go on. */
  release() {
    for (const go of this.#waiting) go();
  }

  stop() {
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
  }

  async serve(wire, req, res) {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const dialect = dialects[wire];
    const url = new URL(req.url, 'http://provider');
    const raw = Buffer.concat(chunks).toString();
    const body = raw ? JSON.parse(raw) : {};
    if (req.method === 'POST' && url.pathname !== '/api/show') {
      const call = { wire, path: url.pathname, headers: req.headers, raw, body };
      call.left = new Promise((resolve) => res.on('close', () => resolve(!res.writableEnded)));
      this.calls.push(call);
    }
    const plain = dialect.answer(req.method, url.pathname, body, req.headers);
    if (plain) {
      res.writeHead(plain.status ?? 200, { 'Content-Type': 'application/json', ...plain.headers });
      res.end(plain.body);
      return;
    }
    const steps = stepsOf(wire, dialect.nameOf(body), body);
    if (!steps) {
      res.writeHead(404, { 'Content-Type': 'application/json' });
      res.end(dialect.unknown(body.model));
      return;
    }
    await this.#play(dialect, url.pathname, body, steps, res);
  }

  async #play(dialect, path, body, steps, res) {
    const streamed = dialect.streamed(body);
    const answer = { model: body.model, text: '', thought: '', tools: [], finish: undefined, pieces: 0 };
    const writer = dialect.writer(path, body, answer);
    let split = 0;
    const write = async (piece) => {
      if (!res.headersSent) {
        res.writeHead(200, writer.headers);
        await write(writer.begin());
      }
      const bytes = Buffer.from(piece);
      const size = split || bytes.length || 1;
      for (let at = 0; at < bytes.length && !res.destroyed; at += size) {
        res.write(bytes.subarray(at, at + size));
        // Each piece is a packet of its own.
        if (split) await new Promise(setImmediate);
      }
    };
    for (const step of steps) {
      if (res.destroyed) return;
      if (step.split) split = step.split;
      if (step.pause) await pause(step.pause);
      if (step.finish) answer.finish = step.finish;
      if (step.wait) await this.#wait();
      if (step.stall) {
        await once(res, 'close');
        return;
      }
      if (step.refuse) {
        res.writeHead(step.refuse, { 'Content-Type': 'application/json', ...(step.retryAfter && { 'Retry-After': step.retryAfter }) });
        res.end(dialect.refusal(step));
        return;
      }
      if (step.fail) {
        if (streamed) {
          await write(writer.failure(step.fail));
          res.end();
        } else {
          res.writeHead(500, { 'Content-Type': 'application/json' });
          res.end(dialect.refusal({ refuse: 500, code: 'server_error', message: step.fail }));
        }
        return;
      }
      if (step.cut) {
        if (!streamed) {
          const whole = writer.whole();
          res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(whole) });
          res.write(whole.slice(0, whole.length / 2));
        }
        // What was written is sent before the connection goes.
        await pause(20);
        res.destroy();
        return;
      }
      let piece;
      if (step.say) {
        answer.text += step.say;
        answer.pieces++;
        piece = writer.text(step.say);
      } else if (step.think) {
        answer.thought += step.think;
        answer.pieces++;
        piece = writer.thought(step.think);
      } else if (step.call) {
        piece = writer.call(step.call, answer.tools.length);
        answer.tools.push(step.call);
        answer.pieces++;
      }
      if (streamed && piece) await write(piece);
    }
    if (streamed) {
      await write(writer.end());
      res.end();
    } else {
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.end(writer.whole());
    }
  }

  #wait() {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.#waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, patience);
      this.#waiting.add(go);
    });
  }
}
