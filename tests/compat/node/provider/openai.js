// OpenAI's wire: chat completions, legacy completions, embeddings, models.

import { modelsOf, vector } from './scenes.js';

const created = 1772366400;
const json = JSON.stringify;

export const nameOf = (body) => body.model;
export const streamed = (body) => body.stream === true;

const error = (message, type, code) => `{\n    "error": {\n        "message": ${json(message)},\n        "type": ${json(type)},\n        "param": null,\n        "code": ${json(code)}\n    }\n}\n`;

export const unknown = (model) => error(`The model \`${model}\` does not exist or you do not have access to it.`, 'invalid_request_error', 'model_not_found');

export function refusal({ refuse, code, message }) {
  if (code === 'context_length_exceeded') message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.";
  return error(message, refuse === 429 ? 'requests' : refuse >= 500 ? 'server_error' : 'invalid_request_error', code);
}

const model = (id) => ({ id, object: 'model', created, owned_by: 'system' });

/** The answers that no scene plays. */
export function answer(method, path, body) {
  if (path === '/v1/models') return { body: json({ object: 'list', data: modelsOf('openai').map(model) }) };
  if (path.startsWith('/v1/models/')) {
    const id = decodeURIComponent(path.slice('/v1/models/'.length));
    return modelsOf('openai').includes(id) ? { body: json(model(id)) } : { status: 404, body: unknown(id) };
  }
  if (path === '/v1/embeddings') {
    const inputs = Array.isArray(body.input) ? body.input : [body.input];
    const form = (v) => body.encoding_format === 'base64' ? Buffer.from(new Float32Array(v).buffer).toString('base64') : v;
    return { body: json({ object: 'list', data: inputs.map((input, index) => ({ object: 'embedding', index, embedding: form(vector(input)) })), model: body.model, usage: { prompt_tokens: 2 * inputs.length, total_tokens: 2 * inputs.length } }) };
  }
  if (method !== 'POST' || path !== '/v1/chat/completions' && path !== '/v1/completions') {
    return { status: 404, body: error(`Invalid URL (${method} ${path})`, 'invalid_request_error', null) };
  }
}

const headers = { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache', 'openai-processing-ms': '41', 'x-request-id': 'req_1f0c2f8a' };

const usage = (answer) => ({
  prompt_tokens: 9, completion_tokens: answer.pieces, total_tokens: 9 + answer.pieces,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
});

const finish = (answer) => answer.finish ?? (answer.tools.length ? 'tool_calls' : 'stop');

const event = (value) => `data: ${json(value)}\n\n`;

const failure = (message) => event({ error: { message, type: 'server_error', param: null, code: null } });

export function writer(path, body, answer) {
  return path === '/v1/completions' ? completions(body, answer) : chat(body, answer);
}

function chat(body, answer) {
  const id = 'chatcmpl-CkR7dZl2vXqN8mYw4uT1bHs6eGp0a';
  const counted = body.stream_options?.include_usage === true;
  const chunk = (choices, count = null) => event({
    id, object: 'chat.completion.chunk', created, model: body.model, service_tier: 'default', system_fingerprint: 'fp_44709d6fcb', choices, ...(counted && { usage: count }),
  });
  const delta = (value, reason = null) => chunk([{ index: 0, delta: value, logprobs: null, finish_reason: reason }]);
  return {
    headers,
    begin: () => delta({ role: 'assistant', content: '', refusal: null }),
    text: (content) => delta({ content }),
    thought: (reasoning_content) => delta({ reasoning_content }),
    call: (tool, index) => delta({ tool_calls: [{ index, id: tool.id, type: 'function', function: { name: tool.name, arguments: '' } }] })
      + tool.pieces.map((piece) => delta({ tool_calls: [{ index, function: { arguments: piece } }] })).join(''),
    end: () => delta({}, finish(answer)) + (counted ? chunk([], usage(answer)) : '') + 'data: [DONE]\n\n',
    failure,
    whole: () => `${JSON.stringify({
      id, object: 'chat.completion', created, model: body.model,
      choices: [{
        index: 0,
        message: {
          role: 'assistant', content: answer.text || (answer.tools.length ? null : ''),
          ...(answer.thought && { reasoning_content: answer.thought }),
          ...(answer.tools.length && { tool_calls: answer.tools.map((tool) => ({ id: tool.id, type: 'function', function: { name: tool.name, arguments: tool.pieces.join('') } })) }),
          refusal: null, annotations: [],
        },
        logprobs: null, finish_reason: finish(answer),
      }],
      usage: usage(answer), service_tier: 'default', system_fingerprint: 'fp_44709d6fcb',
    }, null, 2)}\n`,
  };
}

function completions(body, answer) {
  const value = (text, reason, more) => ({ id: 'cmpl-CkR7dZl2vXqN8mYw4uT1bHs6', object: 'text_completion', created, model: body.model, choices: [{ text, index: 0, logprobs: null, finish_reason: reason }], ...more });
  const counted = body.stream_options?.include_usage === true;
  return {
    headers,
    begin: () => '',
    text: (piece) => event(value(piece, null, counted && { usage: null })),
    thought: () => '',
    call: () => '',
    end: () => event(value('', finish(answer), counted && { usage: null })) + (counted ? event({ ...value('', null), choices: [], usage: usage(answer) }) : '') + 'data: [DONE]\n\n',
    failure,
    whole: () => JSON.stringify(value(answer.text, finish(answer), { usage: usage(answer) })),
  };
}
