// Runs one client over every wire of a provider: a test per capability and
// wire, each of them a cell of the matrix.

import { after, before, describe, test } from 'node:test';
import { appendFileSync, readFileSync } from 'node:fs';
import { capabilities } from './capabilities.js';
import { startMesh } from './mesh.js';
import { startProvider } from './provider/server.js';
import { modelOf, wires } from './provider/scenes.js';

// How long a capability may take, in milliseconds.
const patience = Number(process.env.COMPAT_PATIENCE ?? 10_000);

// The wire whose own server a client of a face expects.
const originals = { '/v1/chat/completions': 'openai', '/v1/messages': 'anthropic', '/api/chat': 'ollama' };

const manifest = JSON.parse(readFileSync(new URL('package.json', import.meta.url)));

/**
 * Declares the tests of a client:
 *   title      what the matrix calls it
 *   packages   the npm packages that make it up, the main one first
 *   face       the path of the mesh that it speaks to
 *   open(url)  returns the client: ask() and failure(), and models() and
 *              embed() where it has them; see capabilities.js
 *   without    capabilities that the client itself lacks, with the reason
 *   more       further capabilities: { name: { run, wires? } }
 *
 * A capability that fails is tried without a mesh, against the provider itself,
 * if it says alone: what fails there too is the client's own. So is what fails
 * there as what a mesh makes of it, which the capability names in becomes.
 */
export function suite({ title, packages, face, open, without = {}, more = {} }) {
  const versions = packages.map((name) => `${name} ${manifest.dependencies[name].replace(/^npm:.*@/, '')}`);
  const all = { ...capabilities, ...more };
  const record = (capability, wire, result, reason) => {
    if (process.env.COMPAT_RESULTS) {
      appendFileSync(process.env.COMPAT_RESULTS, `${JSON.stringify({ title, versions, face, capability, order: Object.keys(all).indexOf(capability), wire, result, reason })}\n`);
    }
  };

  describe(title, () => {
    let provider;
    let mesh;
    let client;
    // control runs a capability against the provider itself, without a mesh
    // between, and returns why it fails there, if it does.
    const controls = {};
    const control = (capability, { run, alone }) => controls[capability] ??= (async () => {
      const wire = originals[face];
      if (!wire || !alone) return undefined;
      provider.forget();
      try {
        await within(run(contextOf(wire, open(provider.urls[wire]), provider.urls[wire])));
      } catch (err) {
        return reasonOf(err);
      }
    })();
    const contextOf = (wire, client, url) => ({
      client, wire, provider, url,
      model: (scene) => modelOf(wire, scene),
      sent: (n = -1) => provider.calls.at(n)?.raw ?? '(nothing was sent)',
    });
    before(async () => {
      provider = await startProvider();
      mesh = await startMesh(provider);
      client = open(mesh.url);
    });
    after(async () => {
      await mesh?.stop();
      provider?.stop();
    });
    for (const [capability, { run, wires: some = wires, needs }] of Object.entries(all)) {
      for (const wire of wires) {
        if (!some.includes(wire)) {
          record(capability, wire, 'none', 'the provider has no such thing');
          continue;
        }
        if (without[capability]) {
          record(capability, wire, 'none', without[capability]);
          continue;
        }
        test(`${capability}, over ${wire}`, async (t) => {
          if (needs && !client[needs]) {
            record(capability, wire, 'none', 'the client has no such thing');
            return;
          }
          provider.forget();
          try {
            await within(run(contextOf(wire, client, mesh.url)));
            record(capability, wire, 'passes');
          } catch (err) {
            const calls = provider.calls;
            const { becomes } = all[capability];
            const why = await control(capability, all[capability]) ?? (becomes && await control(becomes, all[becomes]));
            if (why !== undefined) {
              record(capability, wire, 'alike', why);
              t.diagnostic(`fails without a mesh too: ${why}`);
              return;
            }
            record(capability, wire, 'fails', reasonOf(err));
            t.diagnostic(`the provider was sent: ${calls.map((call) => call.raw.slice(0, 2000)).join('\n')}`);
            throw err;
          }
        });
      }
    }
  });
}

async function within(promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no end after ${patience / 1000} s`)), patience); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One line that says why. */
function reasonOf(err) {
  const text = err?.message || String(err);
  return text.replaceAll(/127\.0\.0\.1:\d+/g, 'the mesh').replaceAll(/\b(rid|req|resp|chatcmpl-|msg)_?[0-9a-z]{26}\b/g, '$1_…').replaceAll(/\s+/g, ' ').slice(0, 300);
}
