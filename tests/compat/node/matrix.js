// Writes docs/compatibility.md out of the cells.

import { writeFileSync } from 'node:fs';
import { wires } from './provider/scenes.js';

const names = { openai: 'OpenAI', anthropic: 'Anthropic', ollama: 'Ollama' };
const marks = { passes: '✓', fails: '✗', alike: '≈', none: '–' };

const intro = `# Compatibility

*Written by \`make compat\` from a run of [tests/compat](../tests/compat); do not edit.*

Client libraries of Node and Go, unmodified, and parsers as strict as those of editors' plugins, against a running mesh: one cell is one library, one capability and one provider wire. The provider
is a scripted server ([for Node](../tests/compat/node/provider), [for Go](../tests/harness/provider)) that answers as OpenAI, Anthropic or Ollama does, so that every face meets every wire:
an OpenAI library over an Anthropic model, an Anthropic library over Ollama, and so on. Where the mesh has to pass something on, the test
also looks at what the provider was sent. The libraries' own retries are off where they can be, and so are the mesh's.

| Mark | Meaning |
|---|---|
| ✓ | works |
| ✗ | fails; the reason stands under [what fails](#what-fails) |
| ≈ | fails alike without a mesh, against the provider itself: the library's own limit |
| – | the library or the provider has no such thing |

The Go part alone: \`go test ./tests/compat\`; it is a part of \`make test\`.
`;

const escape = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** Writes the matrix to a file. */
export function writeMatrix(file, cells) {
  const clients = [...group(cells, (cell) => cell.title)];
  clients.sort(([a], [b]) => a.localeCompare(b));
  const out = [intro];

  out.push('## Clients\n', '| Client | Packages | Face | ✓ | ✗ | ≈ |', '|---|---|---|--:|--:|--:|');
  for (const [title, own] of clients) {
    const count = (result) => own.filter((cell) => cell.result === result).length || '';
    out.push(`| [${title}](#${anchor(title)}) | ${own[0].versions.join(', ')} | \`${own[0].face}\` | ${count('passes')} | ${count('fails')} | ${count('alike')} |`);
  }
  out.push(`\nRun on Node ${process.versions.node}.\n`, '## What fails\n');
  const failing = clients.flatMap(([, own]) => inOrder(own).filter((cell) => cell.result === 'fails'));
  if (!failing.length) out.push('Nothing.\n');
  else {
    out.push('| Client | Capability | Provider wire | Reason |', '|---|---|---|---|');
    for (const cell of failing) out.push(`| ${cell.title} | ${cell.capability} | ${names[cell.wire]} | ${escape(cell.reason)} |`);
    out.push('');
  }

  for (const [title, own] of clients) {
    out.push(`## ${title}\n`, `| Capability | ${wires.map((wire) => names[wire]).join(' | ')} |`, `|---|${wires.map(() => ':-:').join('|')}|`);
    const notes = [];
    for (const [capability, row] of group(inOrder(own), (cell) => cell.capability)) {
      out.push(`| ${capability} | ${wires.map((wire) => marks[row.find((cell) => cell.wire === wire)?.result] ?? '').join(' | ')} |`);
      const alike = row.find((cell) => cell.result === 'alike');
      if (alike) notes.push(`- ≈ ${capability}: ${escape(alike.reason)}`);
      const none = row.every((cell) => cell.result === 'none') && row[0];
      if (none) notes.push(`- – ${capability}: ${none.reason}`);
    }
    out.push('', ...notes, ...(notes.length ? [''] : []));
  }
  writeFileSync(file, `${out.join('\n').trimEnd()}\n`);
}

const inOrder = (cells) => cells.toSorted((a, b) => a.order - b.order || wires.indexOf(a.wire) - wires.indexOf(b.wire));

const anchor = (title) => title.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');

function group(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(item);
  }
  return groups;
}
