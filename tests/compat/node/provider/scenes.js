// What models say. A model's name is its wire's prefix and a scene, "oscar-text";
// a scene is a list of steps, and may depend on the body that was sent.

const prefixes = { openai: 'oscar', anthropic: 'anton', ollama: 'ollie' };

export const wires = Object.keys(prefixes);

/** The model that plays a scene on a wire. */
export const modelOf = (wire, scene) => `${prefixes[wire]}-${scene}`;

export const text = 'Hello, 世界 👩🏽‍💻 — one\u2028two.';
export const question = 'What is the weather?';
export const signature = 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h';
export const calls = [
  { id: 'call_a1', name: 'get_weather', pieces: ['{"city":', '"Wien",', '"days":2}'] },
  { id: 'call_b2', name: 'get_weather', pieces: ['{"city":"Graz"}'] },
];
export const results = ['18 degrees, rain', '21 degrees, sun'];

const say = (...pieces) => pieces.map((piece) => ({ say: piece }));
const call = (...tools) => tools.map((tool) => ({ call: tool }));

// A tool's result in the history is what the second turn of a scene with tools
// is known by, in every wire's words.
const answered = (body) => body.messages?.some((m) => m.role === 'tool' || Array.isArray(m.content) && m.content.some((part) => part.type === 'tool_result'));

const scenes = {
  text: () => say('Hello, ', '世界 ', '👩🏽‍💻', ' — one\u2028', 'two.'),
  split: () => [{ split: 5 }, ...say('Hello, ', '世界 ', '👩🏽‍💻', ' — one\u2028', 'two.')],
  long: () => say('x'.repeat(300_000)),
  empty: () => [],
  tool: (body) => answered(body) ? say('It ', 'rains.') : [...say('Let me look. '), ...call(calls[0])],
  'two-tools': (body) => answered(body) ? say('It ', 'rains.') : call(...calls),
  thinking: () => [{ think: 'Hm, ' }, { think: 'yes.' }, ...say('Yes.')],
  'thinking-tool': (body) => answered(body) ? say('It ', 'rains.') : [{ think: 'Hm, ' }, { think: 'yes.' }, ...call(calls[0])],
  schema: () => say('{"zebra":', '"z","apple":1}'),
  picture: () => say('A ', 'pixel.'),
  length: () => [...say('one two'), { finish: 'length' }],
  'thought-out': () => [{ think: 'Hm, ' }, { think: 'yes.' }, { finish: 'length' }],
  slow: () => [{ pause: 4500 }, ...say('At ', 'last.')],
  refused: () => [{ refuse: 400, code: 'invalid_value', message: 'The provider does not like this.' }],
  'too-long': () => [{ refuse: 400, code: 'context_length_exceeded' }],
  limited: () => [{ refuse: 429, code: 'rate_limit_exceeded', retryAfter: '1', message: 'Too many requests.' }],
  down: () => [{ refuse: 503, code: 'server_error', retryAfter: '3', message: 'Overloaded.' }],
  broken: () => [...say('one ', 'two '), { wait: true }, { fail: 'the model fell over' }],
  cut: () => [...say('one ', 'two '), { wait: true }, { cut: true }],
  silent: () => [...say('one ', 'two '), { stall: true }],
  fill: () => say('return ', 'a + b'),
};

/** The models of a wire, in order. */
export const modelsOf = (wire) => [...Object.keys(scenes).map((scene) => modelOf(wire, scene)), ...(wire === 'anthropic' ? [] : [modelOf(wire, 'embed')])];

/** What a model does when it is asked, or undefined where there is none. */
export function stepsOf(wire, model, body) {
  const prefix = `${prefixes[wire]}-`;
  return model.startsWith(prefix) ? scenes[model.slice(prefix.length)]?.(body) : undefined;
}

/** The embedding of a text: four numbers that float32 holds exactly. */
export const vector = (input) => {
  const n = String(input).length;
  return [n, n / 2, -n / 4, 0.5];
};
