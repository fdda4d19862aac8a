// What is asked of every client, whatever it speaks. A client's ask() takes
//   { model, stream, image, tools, schema, think, before, results, signal, seen }
// and returns what it understood:
//   { text, thought, calls: [{ id, name, args }], finish, usage: { input, output }, pieces, after }
// finish is stop, length or tools. before is the after of an earlier answer and
// results are its tools' results. seen is called when a piece of text has come.
// A client's failure(err) tells { status, code?, retryAfter? } of what it threw.

import assert from 'node:assert/strict';
import { calls, question, results, signature, text, vector, modelsOf } from './provider/scenes.js';

export const brief = 'Be brief.';

/** A picture of one pixel. */
export const pixel = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** A tool, and a schema whose members' order sorting would break. */
export const weather = {
  name: 'get_weather', description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } }, required: ['city'] },
};
export const animals = { type: 'object', properties: { zebra: { type: 'string' }, apple: { type: 'integer' } }, required: ['zebra', 'apple'], additionalProperties: false };

const argsOf = (call) => JSON.parse(call.pieces.join(''));

function holds(sent, ...parts) {
  for (const part of parts) assert.ok(sent.includes(part), `the provider was not sent ${part}: ${sent.slice(0, 1500)}`);
}

function ended(answer, finish) {
  assert.equal(answer.finish, finish, 'finish reason');
  assert.ok(answer.usage.input > 0 && answer.usage.output > 0, `usage: ${JSON.stringify(answer.usage)}`);
}

const plain = (scene, stream, expected = text) => ({
  async run({ client, model, sent }) {
    const answer = await client.ask({ model: model(scene), stream });
    assert.equal(answer.text, expected);
    ended(answer, 'stop');
    if (stream && expected.length < 100) assert.ok(answer.pieces > 1, `it came in ${answer.pieces} piece`);
    holds(sent(), brief, question);
  },
});

const toolUse = (scene, stream, wanted, thought = '') => ({
  async run({ client, model, wire, sent }) {
    const first = await client.ask({ model: model(scene), stream, tools: [weather], think: thought !== '' });
    assert.deepEqual(first.calls.map(({ name, args }) => ({ name, args })), wanted.map((call) => ({ name: call.name, args: argsOf(call) })));
    assert.equal(new Set(first.calls.map((call) => call.id)).size, wanted.length, 'ids must differ');
    assert.equal(first.finish, 'tools', 'finish reason');
    if (thought && client.thinks !== false) assert.equal(first.thought, thought);
    holds(sent(), weather.name, weather.description);
    const second = await client.ask({ model: model(scene), stream, tools: [weather], think: thought !== '', before: first.after, results: results.slice(0, wanted.length) });
    assert.equal(second.text, 'It rains.');
    ended(second, 'stop');
    holds(sent(), ...results.slice(0, wanted.length), ...wanted.map((call) => argsOf(call).city));
    if (thought && client.signs && wire === 'anthropic') holds(sent(), thought, signature);
  },
});

const thinking = (stream) => ({
  async run({ client, model }) {
    const answer = await client.ask({ model: model('thinking'), stream, think: true });
    assert.equal(answer.text, 'Yes.');
    assert.equal(answer.thought, 'Hm, yes.');
    ended(answer, 'stop');
  },
});

const refused = (scene, stream, status, check = () => {}) => ({
  async run({ client, model }) {
    const err = await thrown(() => client.ask({ model: model(scene), stream }));
    const failure = client.failure(err);
    assert.equal(failure.status, status, `status of ${err}`);
    assert.ok(!String(err.message).includes('[object Object]'), err.message);
    check(failure);
  },
});

const waits = (seconds) => (failure) => {
  if ('retryAfter' in failure) assert.equal(failure.retryAfter, seconds, 'Retry-After');
};

const brokenOff = (scene) => ({
  async run({ client, model, provider }) {
    let came = '';
    const err = await thrown(() => client.ask({ model: model(scene), stream: true, seen: (piece) => { came += piece; provider.release(); } }));
    assert.equal(came, 'one two ', 'text before the error');
    assert.ok(!String(err.message).includes('[object Object]'), err.message);
  },
});

async function thrown(run) {
  let answer;
  try {
    answer = await run();
  } catch (err) {
    return err;
  }
  throw new assert.AssertionError({ message: `no error, but an answer: ${JSON.stringify(answer).slice(0, 300)}` });
}

const hasEmbeddings = ['openai', 'ollama'];

const emptyAnswer = 'error: empty answer, streamed';

const common = {
  'answer': plain('text', false),
  'answer, streamed': plain('text', true),
  'stream cut at every fifth byte': plain('split', true),
  'a line of 300 KB': plain('long', true, 'x'.repeat(300_000)),
  'tool and its result': toolUse('tool', false, [calls[0]]),
  'tool and its result, streamed': toolUse('tool', true, [calls[0]]),
  'two tools at once': toolUse('two-tools', false, calls),
  'two tools at once, streamed': toolUse('two-tools', true, calls),
  'reasoning': thinking(false),
  'reasoning, streamed': thinking(true),
  'reasoning before a tool': toolUse('thinking-tool', false, [calls[0]], 'Hm, yes.'),
  'reasoning before a tool, streamed': toolUse('thinking-tool', true, [calls[0]], 'Hm, yes.'),
  'JSON schema': {
    async run({ client, model, sent }) {
      const answer = await client.ask({ model: model('schema'), stream: false, schema: animals });
      assert.deepEqual(JSON.parse(answer.text), { zebra: 'z', apple: 1 });
      assert.match(sent(), /"zebra":.*"apple":/s, 'the schema must reach the provider in its order');
    },
  },
  'picture': {
    async run({ client, model, sent }) {
      const answer = await client.ask({ model: model('picture'), stream: false, image: pixel });
      assert.equal(answer.text, 'A pixel.');
      holds(sent(), pixel);
    },
  },
  'length limit': {
    async run({ client, model }) {
      const answer = await client.ask({ model: model('length'), stream: true });
      assert.equal(answer.text, 'one two');
      assert.equal(answer.finish, 'length', 'finish reason');
    },
  },
  'length limit while reasoning': {
    async run({ client, model }) {
      const answer = await client.ask({ model: model('thought-out'), stream: true, think: true });
      assert.equal(answer.text, '');
      assert.equal(answer.finish, 'length', 'finish reason');
    },
  },
  'slow first token, with heartbeats': plain('slow', true, 'At last.'),
  'error: unknown model': refused('nobody', false, 404),
  'error: unknown model, streamed': refused('nobody', true, 404),
  'error: refused by the provider': refused('refused', true, 400),
  'error: context length': refused('too-long', true, 400, (failure) => {
    if ('code' in failure) assert.equal(failure.code, 'context_length_exceeded', 'code');
  }),
  'error: rate limit with Retry-After': refused('limited', false, 429, waits('1')),
  'error: rate limit with Retry-After, streamed': refused('limited', true, 429, waits('1')),
  // The mesh takes silence for a failure of the provider, and says so.
  [emptyAnswer]: refused('empty', true, 502),
  'error: in mid-stream': brokenOff('broken'),
  // The mesh tells of it as its face tells of any error.
  'error: connection lost in mid-stream': { ...brokenOff('cut'), becomes: 'error: in mid-stream' },
  'client leaves': {
    async run({ client, model, provider }) {
      const leave = new AbortController();
      await Promise.allSettled([client.ask({ model: model('silent'), stream: true, signal: leave.signal, seen: () => leave.abort() })]);
      assert.equal(provider.calls.length, 1, 'calls of the provider');
      assert.ok(await provider.calls[0].left, 'the provider call must be cancelled');
    },
  },
  'list of models': {
    needs: 'models',
    async run({ client, wire }) {
      const listed = (await client.models()).map((id) => id.replace(/:latest$/, ''));
      for (const model of modelsOf(wire).filter((name) => !client.chatOnly || !name.endsWith('-embed'))) assert.ok(listed.includes(model), `${model} is not in ${listed}`);
    },
  },
  'embeddings': {
    needs: 'embed',
    wires: hasEmbeddings,
    async run({ client, model }) {
      assert.deepEqual((await client.embed({ model: model('embed'), input: ['four', 'sixsix'] })).map((v) => [...v]), [vector('four'), vector('sixsix')]);
    },
  },
};

// All of them but one can be asked of a provider too.
export const capabilities = Object.fromEntries(Object.entries(common).map(([name, capability]) => [name, { alone: name !== emptyAnswer, ...capability }]));
