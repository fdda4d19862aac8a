// Runs the suites, those in Go too, and writes the matrix. With names of files
// it runs these and writes nothing.

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeMatrix } from './matrix.js';

const here = path.dirname(fileURLToPath(import.meta.url));
const chosen = process.argv.slice(2);
const files = chosen.length ? chosen : readdirSync(path.join(here, 'clients')).filter((name) => name.endsWith('.test.js')).map((name) => path.join('clients', name));

const dir = await mkdtemp(path.join(os.tmpdir(), 'gptmesh-matrix-'));
const results = path.join(dir, 'results.jsonl');
const child = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], {
  cwd: here, stdio: 'inherit', env: { ...process.env, COMPAT_RESULTS: results },
});
const [code, signal] = await once(child, 'exit');
let goCode = 0;
if (!chosen.length) {
  const go = spawn('go', ['test', '-count=1', '-timeout=20m', '.'], { cwd: path.dirname(here), stdio: 'inherit', env: { ...process.env, COMPAT_RESULTS: results } });
  [goCode] = await once(go, 'exit');
}
const cells = readFileSync(results, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
rmSync(dir, { recursive: true });

const count = (result) => cells.filter((cell) => cell.result === result).length;
console.log(`${count('passes')} cells pass, ${count('fails')} fail, ${count('alike')} fail without a mesh too`);
for (const cell of cells.filter((one) => one.result === 'fails')) console.log(`  ${cell.title}: ${cell.capability}, over ${cell.wire}: ${cell.reason}`);
if (!chosen.length) writeMatrix(path.join(here, '../../../docs/compatibility.md'), cells);
process.exitCode = signal ? 1 : code || goCode;
