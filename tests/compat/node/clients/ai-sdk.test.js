import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { createXai } from '@ai-sdk/xai';
import { createOllama as createOllama2 } from 'ollama-ai-provider-v2';
import { createOllama } from 'ai-sdk-ollama';
import { suite } from '../suite.js';
import { aiClient } from './ai-sdk.js';

const noReasoning = { 'reasoning': 'the client does not read reasoning_content', 'reasoning, streamed': 'the client does not read reasoning_content' };

const openai = (url) => createOpenAI({ baseURL: `${url}/v1`, apiKey: 'any' });

suite({
  title: 'AI SDK, openai (responses)', packages: ['ai', '@ai-sdk/openai'], face: '/v1/responses',
  open: (url) => aiClient({ chat: openai(url), embedding: (model) => openai(url).embedding(model), thinking: { openai: { forceReasoning: true, reasoningEffort: 'low', reasoningSummary: 'auto', store: false } } }),
});

suite({
  title: 'AI SDK, openai.chat', packages: ['ai', '@ai-sdk/openai'], face: '/v1/chat/completions',
  open: (url) => aiClient({ chat: (model) => openai(url).chat(model), embedding: (model) => openai(url).embedding(model), thinks: false }),
  without: noReasoning,
});

suite({
  title: 'AI SDK, openai-compatible', packages: ['ai', '@ai-sdk/openai-compatible'], face: '/v1/chat/completions',
  open(url) {
    const provider = createOpenAICompatible({ name: 'mesh', baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true });
    return aiClient({ chat: (model) => provider(model), embedding: (model) => provider.embeddingModel(model), thinking: { mesh: { reasoningEffort: 'low' } } });
  },
});

suite({
  title: 'AI SDK, xai', packages: ['ai', '@ai-sdk/xai'], face: '/v1/chat/completions',
  open(url) {
    const provider = createXai({ baseURL: `${url}/v1`, apiKey: 'any' });
    return aiClient({ chat: (model) => provider.chat(model), thinking: { xai: { reasoningEffort: 'low' } } });
  },
});

suite({
  title: 'AI SDK, anthropic', packages: ['ai', '@ai-sdk/anthropic'], face: '/v1/messages',
  open(url) {
    const provider = createAnthropic({ baseURL: `${url}/v1`, apiKey: 'any' });
    return aiClient({ chat: (model) => provider(model), thinking: { anthropic: { thinking: { type: 'enabled', budgetTokens: 1024 }, structuredOutputMode: 'outputFormat' } }, signs: true });
  },
});

suite({
  title: 'AI SDK, ollama-ai-provider-v2', packages: ['ai', 'ollama-ai-provider-v2'], face: '/api/chat',
  open(url) {
    const provider = createOllama2({ baseURL: `${url}/api` });
    return aiClient({ chat: (model) => provider(model), embedding: (model) => provider.embedding(model), thinking: { ollama: { think: true } } });
  },
});

suite({
  title: 'AI SDK, ai-sdk-ollama', packages: ['ai', 'ai-sdk-ollama'], face: '/api/chat',
  open(url) {
    const provider = createOllama({ baseURL: url });
    return aiClient({ chat: (model) => provider(model, { think: true }), embedding: (model) => provider.embedding(model) });
  },
});
