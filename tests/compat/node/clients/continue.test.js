import assert from 'node:assert/strict';
import { constructLlmApi } from '@continuedev/openai-adapters';
import { suite } from '../suite.js';
import { chatBody, readChunks, readWhole, sdkFailure } from './openai-chat.js';

const adapter = (config) => {
  const api = constructLlmApi({ apiKey: 'any', ...config });
  return {
    api,
    async ask(request) {
      const body = chatBody(request);
      const signal = request.signal ?? new AbortController().signal;
      if (!request.stream) return readWhole(body, await api.chatCompletionNonStream(body, signal));
      return readChunks(body, api.chatCompletionStream(body, signal), request.seen);
    },
    failure: sdkFailure,
    models: async () => (await api.list()).map((model) => model.id),
  };
};

const embed = (api) => async ({ model, input }) => (await api.embed({ model, input })).data.map((one) => one.embedding);

const fill = {
  'fill in the middle': {
    wires: ['openai', 'ollama'],
    async run({ client, model, sent }) {
      let got = '';
      for await (const chunk of client.api.fimStream({ model: model('fill'), prompt: 'def add(a, b):\n    ', suffix: '\nprint(add(1, 2))', stream: true }, new AbortController().signal)) got += chunk.choices[0].delta.content ?? '';
      assert.equal(got, 'return a + b');
      assert.match(sent(), /print\(add\(1, 2\)\)/, 'the suffix must reach the provider');
    },
  },
};

for (const provider of ['openai', 'ollama', 'deepseek']) {
  suite({
    title: `Continue, provider ${provider}`, packages: ['@continuedev/openai-adapters'], face: '/v1/chat/completions',
    open(url) {
      const client = adapter({ provider, apiBase: provider === 'ollama' ? `${url}/` : `${url}/v1/` });
      return { ...client, embed: embed(client.api) };
    },
    more: fill,
  });
}

suite({
  title: 'Continue, provider anthropic', packages: ['@continuedev/openai-adapters'], face: '/v1/messages',
  open: (url) => adapter({ provider: 'anthropic', apiBase: `${url}/v1/` }),
  without: { 'error: empty answer, streamed': 'the client tells no status' },
});
