import assert from 'node:assert/strict';
import { Mistral } from '@mistralai/mistralai';
import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';
import { suite } from '../suite.js';

const finishes = { stop: 'stop', length: 'length', tool_calls: 'tools' };

function bodyOf({ model, image, tools, schema, before, results }) {
  const content = image ? [{ type: 'text', text: question }, { type: 'image_url', imageUrl: `data:image/png;base64,${image}` }] : question;
  let messages = before ?? [{ role: 'system', content: brief }, { role: 'user', content }];
  if (results) {
    const { toolCalls: calls } = messages.at(-1);
    messages = [...messages, ...results.map((text, i) => ({ role: 'tool', toolCallId: calls[i].id, name: calls[i].function.name, content: text }))];
  }
  return {
    model, messages,
    ...(tools && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
    ...(schema && { responseFormat: { type: 'json_schema', jsonSchema: { name: 'animals', strict: true, schemaDefinition: schema } } }),
  };
}

const understood = (body, message, finish, count, pieces) => ({
  text: message.content ?? '', thought: '',
  calls: (message.toolCalls ?? []).map((call) => ({ id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),
  finish: finishes[finish] ?? finish, usage: { input: count?.promptTokens, output: count?.completionTokens }, pieces, after: [...body.messages, message],
});

async function streamed(sdk, body, { signal, seen = () => {} }) {
  const message = { role: 'assistant', content: '' };
  let finish;
  let count;
  let pieces = 0;
  for await (const { data } of await sdk.chat.stream(body, { fetchOptions: { signal } })) {
    count = data.usage ?? count;
    const [{ delta, finishReason }] = data.choices;
    if (delta.content) {
      message.content += delta.content;
      pieces++;
      seen(delta.content);
    }
    if (delta.toolCalls) message.toolCalls = [...message.toolCalls ?? [], ...delta.toolCalls];
    finish = finishReason ?? finish;
  }
  return understood(body, message, finish, count, pieces);
}

const notRead = 'the client does not read reasoning_content';

suite({
  title: 'Mistral', packages: ['@mistralai/mistralai'], face: '/v1/chat/completions',
  open(url) {
    const sdk = new Mistral({ apiKey: 'any', serverURL: url, retryConfig: { strategy: 'none' } });
    return {
      sdk, thinks: false,
      async ask(request) {
        const body = bodyOf(request);
        if (request.stream) return streamed(sdk, body, request);
        const answer = await sdk.chat.complete(body, { fetchOptions: { signal: request.signal } });
        const [{ message, finishReason }] = answer.choices;
        return understood(body, message, finishReason, answer.usage, 1);
      },
      failure: (err) => ({ status: err.statusCode, ...(err.headers && { retryAfter: err.headers.get('retry-after') }) }),
      models: async () => (await sdk.models.list()).data.map((model) => model.id),
      embed: async ({ model, input }) => (await sdk.embeddings.create({ model, inputs: input })).data.map((one) => one.embedding),
    };
  },
  without: { 'reasoning': notRead, 'reasoning, streamed': notRead },
  more: {
    'fill in the middle': {
      wires: ['openai', 'ollama'],
      async run({ client, model, sent }) {
        let got = '';
        for await (const { data } of await client.sdk.fim.stream({ model: model('fill'), prompt: 'def add(a, b):\n    ', suffix: '\nprint(add(1, 2))' })) got += data.choices[0].delta.content ?? '';
        assert.equal(got, 'return a + b');
        assert.match(sent(), /print\(add\(1, 2\)\)/, 'the suffix must reach the provider');
      },
    },
  },
});
