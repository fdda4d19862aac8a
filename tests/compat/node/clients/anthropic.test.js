import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { brief } from '../capabilities.js';
import { question, signature, text } from '../provider/scenes.js';
import { suite } from '../suite.js';

const finishes = { end_turn: 'stop', max_tokens: 'length', tool_use: 'tools' };

function bodyOf({ model, stream, image, tools, schema, think, before, results }) {
  let messages = before ?? [{
    role: 'user',
    content: image ? [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: image } }, { type: 'text', text: question }] : question,
  }];
  if (results) {
    const calls = messages.at(-1).content.filter((block) => block.type === 'tool_use');
    messages = [...messages, { role: 'user', content: results.map((content, i) => ({ type: 'tool_result', tool_use_id: calls[i].id, content })) }];
  }
  return {
    model, messages, stream, system: [{ type: 'text', text: brief, cache_control: { type: 'ephemeral' } }], max_tokens: 4096,
    ...(tools && { tools: tools.map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters })) }),
    ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
    ...(think && { thinking: { type: 'enabled', budget_tokens: 1024 } }),
  };
}

function understood(body, message, pieces) {
  const all = (type) => message.content.filter((block) => block.type === type);
  return {
    text: all('text').map((block) => block.text).join(''), thought: all('thinking').map((block) => block.thinking).join(''),
    calls: all('tool_use').map(({ id, name, input }) => ({ id, name, args: input })),
    finish: finishes[message.stop_reason] ?? message.stop_reason,
    usage: { input: message.usage.input_tokens, output: message.usage.output_tokens }, pieces,
    after: [...body.messages, { role: 'assistant', content: message.content }],
  };
}

// strictly holds the order that Anthropic promises of its events.
function strictly() {
  let index = -1;
  let open = false;
  const seen = [];
  return (event) => {
    if (!seen.length) assert.equal(event.type, 'message_start');
    else assert.notEqual(event.type, 'message_start', 'a second message_start');
    seen.push(event.type);
    if (event.type === 'content_block_start') {
      assert.ok(!open, 'two blocks open');
      assert.equal(event.index, ++index, 'index of a block');
      open = true;
      if (event.content_block.type === 'tool_use') assert.deepEqual(event.content_block.input, {});
    } else if (event.type.startsWith('content_block_')) {
      assert.ok(open && event.index === index, `${event.type} of no open block`);
      if (event.type === 'content_block_stop') open = false;
    } else if (event.type === 'message_delta') assert.ok(!open && 'stop_sequence' in event.delta, 'message_delta');
  };
}

const open = (url, options = {}) => {
  const sdk = new Anthropic({ baseURL: url, apiKey: 'any', maxRetries: 0, ...options });
  return {
    sdk, signs: true, chatOnly: true,
    async ask(request) {
      const body = bodyOf(request);
      if (!request.stream) return understood(body, await sdk.messages.create(body, { signal: request.signal }), 1);
      let pieces = 0;
      const check = strictly();
      const stream = sdk.messages.stream(body, { signal: request.signal });
      stream.on('streamEvent', (event) => {
        check(event);
        if (event.delta?.type === 'text_delta') {
          pieces++;
          request.seen?.(event.delta.text);
        }
      });
      return understood(body, await stream.finalMessage(), pieces);
    },
    failure: (err) => ({ status: err.status, retryAfter: err.headers?.get('retry-after') }),
    async models() {
      const ids = [];
      for await (const model of sdk.models.list({ limit: 7 })) {
        assert.equal(model.type, 'model');
        ids.push(model.id);
      }
      return ids;
    },
  };
};

suite({
  title: 'Anthropic, messages', packages: ['@anthropic-ai/sdk'], face: '/v1/messages', open,
  more: {
    'count_tokens': {
      async run({ client, model }) {
        const { input_tokens: count } = await client.sdk.messages.countTokens({ model: model('text'), messages: [{ role: 'user', content: question }] });
        assert.ok(count > 0);
      },
    },
    'one model': {
      async run({ client, model }) {
        const one = await client.sdk.models.retrieve(model('text'));
        assert.equal(one.type, 'model');
        assert.ok(one.display_name && !Number.isNaN(Date.parse(one.created_at)), JSON.stringify(one));
        await assert.rejects(client.sdk.models.retrieve('nobody'), { status: 404, type: 'not_found_error' });
      },
    },
    'signature of reasoning': {
      async run({ client, model, wire }) {
        const message = await client.sdk.messages.stream(bodyOf({ model: model('thinking'), stream: true, think: true })).finalMessage();
        assert.equal(message.content[0].type, 'thinking');
        if (wire === 'anthropic') assert.equal(message.content[0].signature, signature);
        else assert.equal(typeof message.content[0].signature, 'string');
      },
    },
    'x-api-key': {
      async run({ url, model }) {
        const { ask } = open(url, { apiKey: null, defaultHeaders: { 'x-api-key': 'any' } });
        assert.equal((await ask({ model: model('text'), stream: false })).text, text);
      },
    },
    'beta: header handed on': {
      wires: ['anthropic'],
      async run({ client, model, provider }) {
        await client.sdk.beta.messages.create({ ...bodyOf({ model: model('text') }), betas: ['context-1m-2025-08-07'] });
        assert.equal(provider.calls[0].headers['anthropic-beta'], 'context-1m-2025-08-07');
      },
    },
    'cache_control kept': {
      wires: ['anthropic'],
      async run({ client, model, sent }) {
        await client.ask({ model: model('text'), stream: false });
        assert.deepEqual(JSON.parse(sent()).system[0].cache_control, { type: 'ephemeral' });
      },
    },
    'error types': {
      async run({ client, model }) {
        await assert.rejects(client.ask({ model: model('limited'), stream: false }), (err) => err instanceof Anthropic.RateLimitError && err.type === 'rate_limit_error');
        await assert.rejects(client.ask({ model: 'nobody', stream: false }), (err) => err instanceof Anthropic.NotFoundError && err.type === 'not_found_error');
        await assert.rejects(client.sdk.messages.create({ ...bodyOf({ model: model('text') }), max_tokens: -1 }), (err) => err instanceof Anthropic.BadRequestError && err.type === 'invalid_request_error');
      },
    },
    'helper: toolRunner()': {
      async run({ client, model }) {
        const { betaTool } = await import('@anthropic-ai/sdk/helpers/beta/json-schema');
        const asked = [];
        const tool = betaTool({ name: 'get_weather', description: 'The weather of a city.', inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }, run: (args) => { asked.push(args.city); return 'rain'; } });
        const { tools, ...body } = bodyOf({ model: model('two-tools'), stream: false });
        const message = await client.sdk.beta.messages.toolRunner({ ...body, tools: [tool] });
        assert.equal(message.content[0].text, 'It rains.');
        assert.deepEqual(asked, ['Wien', 'Graz']);
      },
    },
  },
});
