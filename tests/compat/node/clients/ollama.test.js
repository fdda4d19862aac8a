import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { animals, brief } from '../capabilities.js';
import { question, text, vector } from '../provider/scenes.js';
import { suite } from '../suite.js';

const usage = (last) => ({ input: last.prompt_eval_count, output: last.eval_count });

// strictly holds what the strictest readers of Ollama want of each line.
function strictly(model, line) {
  assert.equal(line.model, model, 'the name as asked');
  assert.ok(!Number.isNaN(Date.parse(line.created_at)), 'created_at');
  if (line.message) assert.ok(line.message.role === 'assistant' && typeof line.message.content === 'string', JSON.stringify(line.message));
  if (!line.done) assert.ok(!('eval_count' in line), 'statistics before the end');
}

suite({
  title: 'Ollama, chat', packages: ['ollama'], face: '/api/chat',
  open(url) {
    const sdk = new Ollama({ host: url });
    return {
      sdk,
      async ask({ model, stream, image, tools, schema, think, before, results, signal, seen = () => {} }) {
        let messages = before ?? [{ role: 'system', content: brief }, { role: 'user', content: question, ...(image && { images: [image] }) }];
        if (results) messages = [...messages, ...results.map((content, i) => ({ role: 'tool', tool_name: messages.at(-1).tool_calls[i].function.name, content }))];
        const body = { model, messages, stream, ...(tools && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }), ...(schema && { format: schema }), ...(think !== undefined && { think }) };
        const message = { role: 'assistant', content: '' };
        let last;
        let pieces = 0;
        const answer = await sdk.chat(body);
        if (stream && signal) signal.addEventListener('abort', () => answer.abort());
        for await (const line of stream ? answer : [answer]) {
          strictly(model, line);
          if (stream && line.done) assert.ok(!line.message.tool_calls, 'calls in the last line');
          last = line;
          if (line.message.content) {
            message.content += line.message.content;
            pieces++;
            seen(line.message.content);
          }
          if (line.message.thinking) message.thinking = (message.thinking ?? '') + line.message.thinking;
          if (line.message.tool_calls) message.tool_calls = [...message.tool_calls ?? [], ...line.message.tool_calls];
        }
        assert.ok(last?.done, 'no last line');
        const calls = (message.tool_calls ?? []).map(({ id, function: { name, arguments: args } }, i) => ({ id: id ?? i, name, args }));
        return {
          text: message.content, thought: message.thinking ?? '', calls,
          // Ollama has no reason of its own for calls.
          finish: calls.length && last.done_reason === 'stop' ? 'tools' : last.done_reason, usage: usage(last), pieces, after: [...messages, message],
        };
      },
      failure: (err) => ({ status: err.status_code }),
      models: async () => (await sdk.list()).models.map((one) => {
        assert.ok(one.model && one.size >= 0 && /^[0-9a-f]{64}$/.test(one.digest) && one.details.family && one.details.parameter_size && one.details.format && one.details.quantization_level, JSON.stringify(one));
        return one.name;
      }),
      embed: async ({ model, input }) => (await sdk.embed({ model, input })).embeddings,
    };
  },
  more: {
    'generate': {
      async run({ client, model }) {
        const answer = await client.sdk.generate({ model: model('text'), prompt: question, system: brief });
        assert.equal(answer.response, text);
        assert.ok(answer.done && answer.done_reason === 'stop' && answer.eval_count > 0);
      },
    },
    'generate, streamed, with thinking': {
      async run({ client, model }) {
        let got = '';
        let thought = '';
        for await (const line of await client.sdk.generate({ model: model('thinking'), prompt: question, think: true, stream: true })) {
          strictly(model('thinking'), line);
          assert.equal(typeof line.response, 'string');
          got += line.response;
          thought += line.thinking ?? '';
        }
        assert.deepEqual([got, thought], ['Yes.', 'Hm, yes.']);
      },
    },
    'generate with a suffix': {
      wires: ['openai', 'ollama'],
      async run({ client, model, sent }) {
        const answer = await client.sdk.generate({ model: model('fill'), prompt: 'def add(a, b):\n    ', suffix: '\nprint(add(1, 2))', options: { temperature: 0 } });
        assert.equal(answer.response, 'return a + b');
        assert.match(sent(), /print\(add\(1, 2\)\)/, 'the suffix must reach the provider');
      },
    },
    'generate with a picture and a schema': {
      wires: ['openai', 'ollama'],
      async run({ client, model, sent }) {
        const { pixel } = await import('../capabilities.js');
        const answer = await client.sdk.generate({ model: model('schema'), prompt: question, images: [pixel], format: animals });
        assert.deepEqual(JSON.parse(answer.response), { zebra: 'z', apple: 1 });
        assert.ok(sent().includes(pixel) && /"zebra":.*"apple":/s.test(sent()), sent());
      },
    },
    'load and unload': {
      async run({ client, model }) {
        const loaded = await client.sdk.chat({ model: model('text'), messages: [] });
        assert.equal(loaded.done_reason, 'load');
        const gone = await client.sdk.generate({ model: model('text'), prompt: '', keep_alive: 0 });
        assert.equal(gone.done_reason, 'unload');
      },
    },
    'show': {
      async run({ client, model }) {
        const shown = await client.sdk.show({ model: model('text') });
        const architecture = shown.model_info['general.architecture'];
        assert.ok(shown.capabilities.includes('tools') && shown.model_info[`${architecture}.context_length`] > 0 && shown.model_info['general.basename'] && shown.template, JSON.stringify(shown));
        await assert.rejects(client.sdk.show({ model: 'nobody' }), { status_code: 404 });
      },
    },
    'ps and version': {
      async run({ client }) {
        assert.ok(Array.isArray((await client.sdk.ps()).models));
        assert.match((await client.sdk.version()).version, /^\d+\.\d+\.\d+/);
      },
    },
    'old embeddings': {
      wires: ['openai', 'ollama'],
      async run({ client, model }) {
        assert.deepEqual((await client.sdk.embeddings({ model: model('embed'), prompt: 'four' })).embedding, vector('four'));
      },
    },
    'names without regard to case and tag': {
      async run({ client, model }) {
        const asked = `${model('text').toUpperCase()}:latest`;
        const answer = await client.sdk.chat({ model: asked, messages: [{ role: 'user', content: question }] });
        assert.deepEqual([answer.message.content, answer.model], [text, asked]);
      },
    },
    'pull': {
      async run({ client, model }) {
        // Nothing has to be fetched, or it is said that it cannot be.
        await assert.rejects(client.sdk.pull({ model: `${model('text')}-unknown` }), (err) => typeof err.error === 'string' && !err.error.includes('[object'));
      },
    },
  },
});
