// OpenAI's Agents SDK: the model that an agent's run asks, over either API.

import { setTracingDisabled, withTrace } from '@openai/agents-core';
import { OpenAIChatCompletionsModel, OpenAIResponsesModel } from '@openai/agents-openai';
import OpenAI from 'openai';
import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';
import { suite } from '../suite.js';
import { sdkFailure } from './openai-chat.js';

setTracingDisabled(true);

const joined = (parts) => (parts ?? []).map((part) => part.text).join('');

// Why an answer ended is in the API's own words alone.
const ends = {
  stop: 'stop', length: 'length', tool_calls: 'tools', // chat completions
  completed: 'stop', max_output_tokens: 'length', // responses
};
const endOf = (raw) => raw?.choices?.[0]?.finish_reason ?? raw?.incomplete_details?.reason ?? raw?.status;

const agent = (Model) => (url) => {
  const sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });
  return {
    async ask({ model, stream, image, tools = [], schema, think, before, results, signal, seen = () => {} }) {
      let input = before ?? [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: question }, ...(image ? [{ type: 'input_image', image: `data:image/png;base64,${image}` }] : [])] }];
      if (results) {
        const open = input.filter((item) => item.type === 'function_call');
        input = [...input, ...results.map((text, i) => ({ type: 'function_call_result', status: 'completed', callId: open[i].callId, name: open[i].name, output: { type: 'text', text } }))];
      }
      const request = {
        systemInstructions: brief, input, handoffs: [], tracing: false, signal,
        modelSettings: { store: false, ...(think && { reasoning: { effort: 'low', summary: 'auto' } }) },
        tools: tools.map((tool) => ({ type: 'function', strict: false, ...tool })),
        outputType: schema ? { type: 'json_schema', name: 'animals', strict: true, schema } : 'text',
      };
      const asked = new Model(sdk, model);
      let response;
      let end;
      let pieces = 0;
      if (!stream) {
        response = await withTrace('asked', () => asked.getResponse(request));
        end = endOf(response.providerData);
      } else {
        for await (const event of asked.getStreamedResponse(request)) {
          if (event.type === 'model') end = endOf(event.event.response ?? event.event) ?? end;
          if (event.type === 'output_text_delta') {
            pieces++;
            seen(event.delta);
          }
          if (event.type === 'response_done') response = event.response;
        }
      }
      const of = (type) => response.output.filter((item) => item.type === type);
      const calls = of('function_call').map((call) => ({ id: call.callId, name: call.name, args: JSON.parse(call.arguments) }));
      return {
        text: of('message').map((item) => joined(item.content)).join(''), calls,
        thought: of('reasoning').map((item) => joined(item.content) || joined(item.rawContent)).join(''),
        finish: calls.length && end === 'completed' ? 'tools' : ends[end] ?? end,
        usage: { input: response.usage.inputTokens, output: response.usage.outputTokens }, pieces, after: [...input, ...response.output],
      };
    },
    failure: sdkFailure,
  };
};

const packages = ['@openai/agents-openai', 'openai'];

suite({ title: 'OpenAI Agents', packages, face: '/v1/chat/completions', open: agent(OpenAIChatCompletionsModel) });
suite({
  title: 'OpenAI Agents (responses)', packages, face: '/v1/responses', open: agent(OpenAIResponsesModel),
  without: Object.fromEntries(['length limit', 'length limit while reasoning'].map((name) => [name, 'the client takes an answer that ends so for a failure'])),
});
