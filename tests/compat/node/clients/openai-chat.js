// A client that is built like OpenAI's library: chat completions.

import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';

const finishes = { stop: 'stop', length: 'length', tool_calls: 'tools' };

const usage = (count) => ({ input: count?.prompt_tokens, output: count?.completion_tokens });

/** The body of a request in OpenAI's words. */
export function chatBody({ model, stream, image, tools, schema, think, before, results }) {
  const content = image ? [{ type: 'text', text: question }, { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } }] : question;
  let messages = before ?? [{ role: 'system', content: brief }, { role: 'user', content }];
  if (results) {
    const { tool_calls: calls } = messages.at(-1);
    messages = [...messages, ...results.map((text, i) => ({ role: 'tool', tool_call_id: calls[i].id, content: text }))];
  }
  return {
    model, messages, stream,
    ...(stream && { stream_options: { include_usage: true } }),
    ...(tools && { tools: tools.map((tool) => ({ type: 'function', function: tool })) }),
    ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'animals', strict: true, schema } } }),
    ...(think && { reasoning_effort: 'low' }),
  };
}

const understood = (body, message, finish, count, pieces) => ({
  text: message.content ?? '', thought: message.reasoning_content ?? '',
  calls: (message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, args: JSON.parse(call.function.arguments) })),
  finish: finishes[finish] ?? finish, usage: usage(count), pieces, after: [...body.messages, message],
});

/** What a whole answer says. */
export function readWhole(body, completion) {
  const [choice] = completion.choices;
  return understood(body, choice.message, choice.finish_reason, completion.usage, 1);
}

/** What a stream of chunks says, put together as its clients do: by index. */
export async function readChunks(body, chunks, seen = () => {}) {
  const message = { role: 'assistant', content: '' };
  let finish;
  let count;
  let pieces = 0;
  for await (const chunk of chunks) {
    if (chunk.usage) count = chunk.usage;
    for (const { delta, finish_reason: reason } of chunk.choices) {
      if (delta.content) {
        message.content += delta.content;
        pieces++;
        seen(delta.content);
      }
      if (delta.reasoning_content) message.reasoning_content = (message.reasoning_content ?? '') + delta.reasoning_content;
      for (const part of delta.tool_calls ?? []) {
        message.tool_calls ??= [];
        const call = message.tool_calls[part.index] ??= { id: part.id, type: 'function', function: { name: part.function.name, arguments: '' } };
        call.function.arguments += part.function.arguments ?? '';
      }
      if (reason) finish = reason;
    }
  }
  return understood(body, message, finish, count, pieces);
}

/** The error that OpenAI's libraries throw, of any major version. */
export const sdkFailure = (err) => ({
  status: err.status,
  ...(err.status === 400 && { code: err.code }),
  ...(err.headers && { retryAfter: err.headers.get ? err.headers.get('retry-after') : err.headers['retry-after'] }),
});

/** Chat completions, models and embeddings of OpenAI's library. */
export const chatClient = (sdk) => ({
  async ask(request) {
    const body = chatBody(request);
    const answer = await sdk.chat.completions.create(body, { signal: request.signal });
    return request.stream ? readChunks(body, answer, request.seen) : readWhole(body, answer);
  },
  failure: sdkFailure,
  async models() {
    const ids = [];
    for await (const model of sdk.models.list()) ids.push(model.id);
    return ids;
  },
  // The library asks for base64 and decodes it.
  embed: async ({ model, input }) => (await sdk.embeddings.create({ model, input })).data.map((one) => one.embedding),
});

