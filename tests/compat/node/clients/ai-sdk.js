// The Vercel AI SDK over any of its providers.

import { embedMany, generateText, jsonSchema, Output, streamText, tool } from 'ai';
import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';

const finishes = { stop: 'stop', length: 'length', 'tool-calls': 'tools' };

/**
 * A client of the suite. chat(model) makes the SDK's model, embedding(model) its
 * embedding model, thinking are the provider's options that ask for reasoning.
 */
export const aiClient = ({ chat, embedding, thinking, ...more }) => ({
  async ask({ model, stream, image, tools, schema, think, before, results, signal, seen = () => {} }) {
    let messages = before ?? [{ role: 'user', content: image ? [{ type: 'text', text: question }, { type: 'file', mediaType: 'image/png', data: image }] : question }];
    if (results) {
      const calls = messages.at(-1).content.filter((part) => part.type === 'tool-call');
      messages = [...messages, {
        role: 'tool',
        content: results.map((value, i) => ({ type: 'tool-result', toolCallId: calls[i].toolCallId, toolName: calls[i].toolName, output: { type: 'text', value } })),
      }];
    }
    const options = {
      model: chat(model), instructions: brief, messages, maxRetries: 0, abortSignal: signal,
      ...(tools && { tools: Object.fromEntries(tools.map(({ name, description, parameters }) => [name, tool({ description, inputSchema: jsonSchema(parameters) })])) }),
      ...(schema && { output: Output.object({ schema: jsonSchema(schema), name: 'animals' }) }),
      ...(think && thinking && { providerOptions: thinking }),
    };
    let answer;
    let pieces = 1;
    if (!stream) answer = await generateText(options);
    else {
      pieces = 0;
      const result = streamText({ ...options, onError: () => {} });
      for await (const part of result.fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'abort') throw new Error('aborted');
        if (part.type === 'text-delta') {
          pieces++;
          seen(part.text);
        }
      }
      answer = { text: await result.text, reasoningText: await result.reasoningText, toolCalls: await result.toolCalls, finishReason: await result.finishReason, usage: await result.usage, response: await result.response };
    }
    return {
      text: answer.text, thought: answer.reasoningText ?? '',
      calls: answer.toolCalls.map((call) => ({ id: call.toolCallId, name: call.toolName, args: call.input })),
      finish: finishes[answer.finishReason] ?? answer.finishReason,
      usage: { input: answer.usage.inputTokens, output: answer.usage.outputTokens }, pieces, after: [...messages, ...answer.response.messages],
    };
  },
  // Its errors may be wrapped in the one of the last attempt.
  failure(err) {
    const call = err.lastError ?? err;
    return { status: call.statusCode ?? call.cause?.status_code, ...(call.responseHeaders && { retryAfter: call.responseHeaders['retry-after'] }) };
  },
  ...(embedding && { embed: async ({ model, input }) => (await embedMany({ model: embedding(model), values: input, maxRetries: 0 })).embeddings }),
  ...more,
});
