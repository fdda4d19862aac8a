import assert from 'node:assert/strict';
import OpenAI from 'openai';
import OpenAIv4 from 'openai-v4';
import { weather } from '../capabilities.js';
import { calls, question, results, text, vector } from '../provider/scenes.js';
import { suite } from '../suite.js';
import { chatBody, chatClient, readChunks, readWhole } from './openai-chat.js';
import { responses } from './openai-responses.js';

const connect = (Library) => (url) => new Library({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });

const exact = {
  'usage only when asked for': {
    async run({ client, model }) {
      for await (const chunk of await client.sdk.chat.completions.create({ ...chatBody({ model: model('text'), stream: true }), stream_options: undefined })) {
        assert.equal(chunk.choices.length, 1, 'a chunk without a choice');
        assert.ok(!('usage' in chunk), 'usage that was not asked for');
      }
    },
  },
  'usage alone in the last chunk': {
    async run({ client, model }) {
      const chunks = [];
      for await (const chunk of await client.sdk.chat.completions.create(chatBody({ model: model('text'), stream: true }))) chunks.push(chunk);
      assert.deepEqual(chunks.at(-1).choices, []);
      assert.ok(chunks.at(-1).usage.total_tokens > 0);
      assert.ok(chunks.slice(0, -1).every((chunk) => !chunk.usage && chunk.choices.length === 1), 'usage beside a choice');
      assert.ok(chunks.every((chunk) => chunk.id === chunks[0].id && chunk.created === chunks[0].created && chunk.object === 'chat.completion.chunk'), 'id, created, object');
    },
  },
  'embeddings as numbers': {
    wires: ['openai', 'ollama'],
    async run({ client, model }) {
      const { data } = await client.sdk.embeddings.create({ model: model('embed'), input: 'four', encoding_format: 'float' });
      assert.deepEqual(data.map((one) => one.embedding), [vector('four')]);
    },
  },
  'unknown members': {
    wires: ['openai'],
    async run({ client, model, sent }) {
      await client.sdk.chat.completions.create({ ...chatBody({ model: model('text') }), chat_template_kwargs: { enable_thinking: false }, top_k: 40 });
      const body = JSON.parse(sent());
      assert.deepEqual(body.chat_template_kwargs, { enable_thinking: false });
      assert.equal(body.top_k, 40);
    },
  },
  'one model': {
    async run({ client, model }) {
      assert.equal((await client.sdk.models.retrieve(model('text'))).id.replace(/:latest$/, ''), model('text'));
      await assert.rejects(client.sdk.models.retrieve('nobody'), { status: 404, code: 'model_not_found' });
    },
  },
  'bad input': {
    async run({ client, model }) {
      await assert.rejects(client.sdk.chat.completions.create({ ...chatBody({ model: model('text') }), temperature: 99 }), { status: 400, param: 'temperature', type: 'invalid_request_error' });
      await assert.rejects(client.sdk.chat.completions.create({ ...chatBody({ model: model('text') }), messages: [] }), { status: 400, type: 'invalid_request_error' });
    },
  },
};

const legacy = {
  'completions': {
    async run({ client, model }) {
      const answer = await client.sdk.completions.create({ model: model('text'), prompt: question });
      assert.equal(answer.object, 'text_completion');
      assert.equal(answer.choices[0].text, text);
      assert.equal(answer.choices[0].finish_reason, 'stop');
      assert.ok(answer.usage.total_tokens > 0);
    },
  },
  'completions, streamed': {
    async run({ client, model }) {
      let got = '';
      let finish;
      for await (const chunk of await client.sdk.completions.create({ model: model('text'), prompt: question, stream: true })) {
        assert.equal(chunk.object, 'text_completion');
        for (const choice of chunk.choices) {
          got += choice.text;
          finish = choice.finish_reason ?? finish;
        }
      }
      assert.equal(got, text);
      assert.equal(finish, 'stop');
    },
  },
  'completions with a suffix': {
    async run({ client, model, wire, sent }) {
      const { data: answer, response } = await client.sdk.completions.create({ model: model('fill'), prompt: 'def add(a, b):\n    ', suffix: '\nprint(add(1, 2))' }).withResponse();
      assert.equal(answer.choices[0].text, 'return a + b');
      // Anthropic's models fill no gaps: it has to be said that the suffix is lost.
      if (wire === 'anthropic') assert.equal(response.headers.get('x-gptmesh-dropped'), 'suffix');
      else assert.match(sent(), /print\(add\(1, 2\)\)/, 'the suffix must reach the provider');
    },
  },
};

suite({
  title: 'OpenAI, chat completions', packages: ['openai'], face: '/v1/chat/completions',
  open(url) {
    const sdk = connect(OpenAI)(url);
    return { ...chatClient(sdk), sdk };
  },
  more: {
    ...exact, ...legacy,
    'helper: stream()': {
      async run({ client, model }) {
        const stream = client.sdk.chat.completions.stream({ ...chatBody({ model: model('two-tools'), stream: true, tools: [weather] }) });
        const answer = readWhole({ messages: [] }, await stream.finalChatCompletion());
        assert.equal(answer.finish, 'tools');
        assert.equal(answer.calls.length, 2);
        assert.ok((await stream.totalUsage()).total_tokens > 0);
      },
    },
    'helper: runTools()': {
      async run({ client, model, sent }) {
        const asked = [];
        const tool = { type: 'function', function: { ...weather, parse: JSON.parse, function: (args) => { asked.push(args); return results[asked.length - 1]; } } };
        const runner = client.sdk.chat.completions.runTools({ ...chatBody({ model: model('two-tools'), stream: true }), tools: [tool] });
        assert.equal(await runner.finalContent(), 'It rains.');
        assert.deepEqual(asked, calls.map((call) => JSON.parse(call.pieces.join(''))));
        assert.ok(results.every((result) => sent().includes(result)), sent());
      },
    },
    'Azure deployment path': {
      async run({ url, model }) {
        const { AzureOpenAI } = await import('openai');
        const sdk = new AzureOpenAI({ endpoint: url, apiKey: 'any', apiVersion: '2024-10-21', deployment: model('text'), maxRetries: 0 });
        const body = chatBody({ model: model('text'), stream: true });
        assert.equal((await readChunks(body, await sdk.chat.completions.create(body))).text, text);
      },
    },
  },
});

suite({ title: 'OpenAI 4, chat completions', packages: ['openai-v4'], face: '/v1/chat/completions', open(url) { const sdk = connect(OpenAIv4)(url); return { ...chatClient(sdk), sdk }; }, more: exact });

suite({
  title: 'OpenAI, responses', packages: ['openai'], face: '/v1/responses', open: (url) => responses(connect(OpenAI)(url)),
  more: {
    'kept answer: get, list its input, delete': {
      async run({ client, model }) {
        const made = await client.sdk.responses.create({ model: model('text'), input: question });
        assert.equal(made.output_text, text);
        assert.equal((await client.sdk.responses.retrieve(made.id)).output_text, text);
        const items = [];
        for await (const item of client.sdk.responses.inputItems.list(made.id)) items.push(item);
        assert.equal(items.length, 1);
        await client.sdk.responses.delete(made.id);
        await assert.rejects(client.sdk.responses.retrieve(made.id), { status: 404 });
      },
    },
    'previous_response_id': {
      async run({ client, model, sent }) {
        const first = await client.sdk.responses.create({ model: model('text'), input: 'My name is Ada.' });
        await client.sdk.responses.create({ model: model('text'), input: question, previous_response_id: first.id });
        assert.match(sent(), /My name is Ada\..*What is the weather/s);
      },
    },
    'conversation': {
      async run({ client, model, sent }) {
        const conversation = await client.sdk.conversations.create({ items: [{ type: 'message', role: 'user', content: 'My name is Ada.' }] });
        await client.sdk.responses.create({ model: model('text'), input: question, conversation: conversation.id });
        assert.match(sent(), /My name is Ada\..*What is the weather/s);
        const items = [];
        for await (const item of client.sdk.conversations.items.list(conversation.id)) items.push(item);
        assert.equal(items.length, 3, JSON.stringify(items).slice(0, 500));
      },
    },
    'background and resume': {
      async run({ client, model }) {
        const stream = await client.sdk.responses.create({ model: model('text'), input: question, background: true, stream: true });
        let id;
        for await (const event of stream) {
          id ??= event.response?.id;
          if (event.sequence_number >= 2) break;
        }
        let last = 2;
        let got;
        for await (const event of await client.sdk.responses.retrieve(id, { stream: true, starting_after: last })) {
          assert.equal(event.sequence_number, last + 1);
          last = event.sequence_number;
          if (event.type === 'response.completed') got = event.response;
        }
        assert.equal(got.output.at(-1).content[0].text, text);
      },
    },
    'Azure path': {
      async run({ url, model }) {
        const { AzureOpenAI } = await import('openai');
        const sdk = new AzureOpenAI({ endpoint: url, apiKey: 'any', apiVersion: '2025-03-01-preview', maxRetries: 0 });
        const answer = await sdk.responses.create({ model: model('text'), input: question });
        assert.equal(answer.output_text, text);
        assert.ok(answer.completed_at >= answer.created_at, `${answer.completed_at} and ${answer.created_at}`);
        assert.equal((await sdk.responses.retrieve(answer.id)).completed_at, answer.completed_at);
        assert.ok((await sdk.models.list()).data.length > 0);
      },
    },
    'helper: parse()': {
      async run({ client, model }) {
        const { z } = await import('zod');
        const { zodTextFormat } = await import('openai/helpers/zod');
        const shape = z.object({ zebra: z.string(), apple: z.number() });
        const answer = await client.sdk.responses.parse({ model: model('schema'), input: question, text: { format: zodTextFormat(shape, 'animals') } });
        assert.deepEqual(answer.output_parsed, { zebra: 'z', apple: 1 });
      },
    },
  },
});
