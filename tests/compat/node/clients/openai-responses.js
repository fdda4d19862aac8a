// A client that is built like OpenAI's library: responses.

import assert from 'node:assert/strict';
import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';
import { sdkFailure } from './openai-chat.js';

/** Puts an answer of /v1/responses into the terms of the suite. */
export const responses = (sdk) => ({
  sdk,
  signs: false,
  async ask({ model, stream, image, tools, schema, think, before, results: given, signal, seen = () => {} }) {
    let input = before ?? [{ role: 'user', content: [{ type: 'input_text', text: question }, ...(image ? [{ type: 'input_image', image_url: `data:image/png;base64,${image}`, detail: 'auto' }] : [])] }];
    if (given) {
      const open = input.filter((item) => item.type === 'function_call');
      input = [...input, ...given.map((output, i) => ({ type: 'function_call_output', call_id: open[i].call_id, output }))];
    }
    const body = {
      model, input, instructions: brief, stream, store: false,
      ...(tools && { tools: tools.map((tool) => ({ type: 'function', strict: false, ...tool })) }),
      ...(schema && { text: { format: { type: 'json_schema', name: 'animals', strict: true, schema } } }),
      ...(think && { reasoning: { effort: 'low', summary: 'auto' }, include: ['reasoning.encrypted_content'] }),
    };
    let pieces = 0;
    let response;
    if (!stream) response = await sdk.responses.create(body, { signal });
    else {
      const events = [];
      for await (const event of await sdk.responses.create(body, { signal })) {
        if (event.type === 'error' || event.type === 'response.failed') throw new Error(event.message ?? event.response.error.message);
        assert.equal(event.sequence_number, events.length, `sequence_number of ${event.type}`);
        events.push(event.type);
        if (event.type === 'response.output_text.delta') {
          pieces++;
          seen(event.delta);
        }
        if (['response.completed', 'response.incomplete'].includes(event.type)) response = event.response;
      }
      assert.equal(events[0], 'response.created');
      assert.ok(response, `no final event in ${events}`);
    }
    assert.ok(response.id.startsWith('resp_') && response.object === 'response' && typeof response.usage.output_tokens_details.reasoning_tokens === 'number', JSON.stringify(response).slice(0, 500));
    const found = response.output.filter((item) => item.type === 'function_call');
    const said = response.output.filter((item) => item.type === 'message').flatMap((item) => item.content).map((part) => part.text).join('');
    const thought = response.output.filter((item) => item.type === 'reasoning').flatMap((item) => [...item.summary, ...(item.content ?? [])]).map((part) => part.text).join('');
    return {
      text: said, thought, calls: found.map((call) => ({ id: call.call_id, name: call.name, args: JSON.parse(call.arguments) })),
      finish: response.status === 'incomplete' ? response.incomplete_details.reason === 'max_output_tokens' ? 'length' : response.incomplete_details.reason : found.length ? 'tools' : 'stop',
      usage: { input: response.usage.input_tokens, output: response.usage.output_tokens }, pieces, after: [...input, ...response.output],
    };
  },
  failure: sdkFailure,
});
