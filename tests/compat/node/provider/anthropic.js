// Anthropic's wire: messages, count_tokens, models.

import { modelsOf, signature } from './scenes.js';

const json = JSON.stringify;
const request = 'req_011CSHoEeqs5C35K2UUqR7Fy';
const id = 'msg_01XFDUDYJgAACzvnptvVoYEL';

export const nameOf = (body) => body.model;
export const streamed = (body) => body.stream === true;

const error = (type, message) => json({ type: 'error', error: { type, message }, request_id: request });

export const unknown = (model) => error('not_found_error', `model: ${model}`);

const kinds = { 400: 'invalid_request_error', 401: 'authentication_error', 403: 'permission_error', 404: 'not_found_error', 413: 'request_too_large', 429: 'rate_limit_error', 503: 'overloaded_error', 529: 'overloaded_error' };

export function refusal({ refuse, code, message }) {
  if (code === 'context_length_exceeded') message = 'prompt is too long: 9000 tokens > 8192 maximum';
  return error(kinds[refuse] ?? 'api_error', message);
}

const model = (name) => ({ type: 'model', id: name, display_name: name, created_at: '2026-03-01T12:00:00Z' });

/** The answers that no scene plays. */
export function answer(method, path) {
  if (path === '/v1/models') {
    const data = modelsOf('anthropic').map(model);
    return { body: json({ data, has_more: false, first_id: data[0].id, last_id: data.at(-1).id }) };
  }
  if (path.startsWith('/v1/models/')) {
    const name = decodeURIComponent(path.slice('/v1/models/'.length));
    return modelsOf('anthropic').includes(name) ? { body: json(model(name)) } : { status: 404, body: unknown(name) };
  }
  if (path === '/v1/messages/count_tokens') return { body: '{"input_tokens":14}' };
  if (method !== 'POST' || path !== '/v1/messages') return { status: 404, body: error('not_found_error', 'Not Found') };
}

const reasons = { stop: 'end_turn', length: 'max_tokens' };

const reason = (answer) => reasons[answer.finish] ?? (answer.tools.length ? 'tool_use' : 'end_turn');

const started = { input_tokens: 9, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1, service_tier: 'standard' };

const event = (type, members) => `event: ${type}\ndata: ${json({ type, ...members })}\n\n`;

export function writer(path, body, answer) {
  let index = 0;
  let open;
  const delta = (value) => event('content_block_delta', { index, delta: value });
  const close = () => {
    if (!open) return '';
    const out = (open === 'thinking' ? delta({ type: 'signature_delta', signature }) : '') + event('content_block_stop', { index });
    open = undefined;
    index++;
    return out;
  };
  const turnTo = (block) => {
    if (open === block.type && open !== 'tool_use') return '';
    const out = close();
    open = block.type;
    return out + event('content_block_start', { index, content_block: block });
  };
  return {
    headers: { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-cache', 'request-id': request },
    begin: () => event('message_start', { message: { model: body.model, id, type: 'message', role: 'assistant', content: [], stop_reason: null, stop_sequence: null, usage: started } }) + event('ping', {}),
    text: (piece) => turnTo({ type: 'text', text: '' }) + delta({ type: 'text_delta', text: piece }),
    thought: (piece) => turnTo({ type: 'thinking', thinking: '', signature: '' }) + delta({ type: 'thinking_delta', thinking: piece }),
    call: (tool) => turnTo({ type: 'tool_use', id: tool.id, name: tool.name, input: {} }) + delta({ type: 'input_json_delta', partial_json: '' })
      + tool.pieces.map((piece) => delta({ type: 'input_json_delta', partial_json: piece })).join(''),
    end: () => close() + event('message_delta', { delta: { stop_reason: reason(answer), stop_sequence: null }, usage: { output_tokens: answer.pieces } }) + event('message_stop', {}),
    failure: (message) => event('error', { error: { type: 'overloaded_error', message } }),
    whole: () => json({
      model: body.model, id, type: 'message', role: 'assistant',
      content: [
        ...(answer.thought ? [{ type: 'thinking', thinking: answer.thought, signature }] : []),
        ...(answer.text ? [{ type: 'text', text: answer.text }] : []),
        ...answer.tools.map((tool) => ({ type: 'tool_use', id: tool.id, name: tool.name, input: JSON.parse(tool.pieces.join('')) })),
      ],
      stop_reason: reason(answer), stop_sequence: null, usage: { ...started, output_tokens: answer.pieces },
    }),
  };
}
