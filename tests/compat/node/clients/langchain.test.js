import { ChatAnthropic } from '@langchain/anthropic';
import { AIMessage, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { ChatOllama, OllamaEmbeddings } from '@langchain/ollama';
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { brief } from '../capabilities.js';
import { question } from '../provider/scenes.js';
import { suite } from '../suite.js';
import { sdkFailure } from './openai-chat.js';

const textOf = (content) => typeof content === 'string' ? content : content.filter((part) => part.type === 'text').map((part) => part.text).join('');

const finishes = { stop: 'stop', end_turn: 'stop', length: 'length', max_tokens: 'length', max_output_tokens: 'length', tool_calls: 'tools', tool_use: 'tools' };

function finishOf(message) {
  const meta = { ...message.additional_kwargs, ...message.response_metadata };
  const reason = meta.finish_reason ?? meta.stop_reason ?? meta.done_reason ?? meta.incomplete_details?.reason ?? (meta.status === 'completed' ? 'stop' : undefined);
  // Ollama and responses have no reason of their own for calls.
  if (message.tool_calls.length && ['stop', undefined].includes(reason)) return 'tools';
  return finishes[reason] ?? reason;
}

function thoughtOf(message) {
  const blocks = Array.isArray(message.content) ? message.content.filter((part) => part.type === 'thinking').map((part) => part.thinking) : [];
  const summary = message.additional_kwargs.reasoning?.summary?.map((part) => part.text) ?? [];
  return [...blocks, ...summary].join('') || message.additional_kwargs.reasoning_content || '';
}

// make() makes the chat model for a request; bind() turns tools and a schema
// into its options of a call.
const client = ({ make, schemaOptions, embeddings, failure, ...more }) => ({
  async ask({ model, stream, image, tools, schema, think, before, results, signal, seen = () => {} }) {
    let messages = before ?? [new SystemMessage(brief), new HumanMessage({ content: image ? [{ type: 'text', text: question }, { type: 'image_url', image_url: { url: `data:image/png;base64,${image}` } }] : question })];
    if (results) {
      const calls = messages.at(-1).tool_calls;
      messages = [...messages, ...results.map((content, i) => new ToolMessage({ content, tool_call_id: calls[i].id, name: calls[i].name }))];
    }
    let chat = make({ model, think });
    if (tools) chat = chat.bindTools(tools.map((tool) => ({ type: 'function', function: tool })));
    const options = { signal, ...(schema && schemaOptions?.(schema)) };
    let message;
    let pieces = 0;
    if (!stream) message = await chat.invoke(messages, options);
    else {
      for await (const chunk of await chat.stream(messages, options)) {
        const piece = textOf(chunk.content);
        if (piece) {
          pieces++;
          seen(piece);
        }
        message = message ? message.concat(chunk) : chunk;
      }
    }
    return {
      text: textOf(message.content), thought: thoughtOf(message), calls: message.tool_calls.map(({ id, name, args }) => ({ id, name, args })), finish: finishOf(message),
      usage: { input: message.usage_metadata?.input_tokens, output: message.usage_metadata?.output_tokens }, pieces,
      after: [...messages, new AIMessage({ content: message.content, tool_calls: message.tool_calls, additional_kwargs: message.additional_kwargs, response_metadata: message.response_metadata, id: message.id })],
    };
  },
  // An error that LangChain knows wraps the library's own.
  failure: (err) => failure(err.cause?.status ? err.cause : err),
  ...(embeddings && { embed: ({ model, input }) => embeddings(model).embedDocuments(input) }),
  ...more,
});

const openai = (url, responses) => {
  const connection = { apiKey: 'any', maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
  return client({
    make: ({ model, think }) => new ChatOpenAI({ ...connection, model, useResponsesApi: responses, ...(think && { reasoning: { effort: 'low', ...(responses && { summary: 'auto' }) } }) }),
    schemaOptions: (schema) => ({ response_format: { type: 'json_schema', json_schema: { name: 'animals', strict: true, schema } } }),
    embeddings: (model) => new OpenAIEmbeddings({ ...connection, model }),
    failure: sdkFailure,
  });
};

suite({ title: 'LangChain, ChatOpenAI', packages: ['@langchain/openai', '@langchain/core'], face: '/v1/chat/completions', open: (url) => openai(url, false) });

suite({ title: 'LangChain, ChatOpenAI (responses)', packages: ['@langchain/openai', '@langchain/core'], face: '/v1/responses', open: (url) => openai(url, true) });

suite({
  title: 'LangChain, ChatAnthropic', packages: ['@langchain/anthropic', '@langchain/core'], face: '/v1/messages',
  open: (url) => client({
    make: ({ model, think }) => new ChatAnthropic({ model, apiKey: 'any', anthropicApiUrl: url, maxRetries: 0, maxTokens: 4096, ...(think && { thinking: { type: 'enabled', budget_tokens: 1024 } }) }),
    schemaOptions: (schema) => ({ outputConfig: { format: { type: 'json_schema', schema } } }),
    signs: true,
    failure: (err) => ({ status: err.status, retryAfter: err.headers?.get('retry-after') }),
  }),
});

suite({
  title: 'LangChain, ChatOllama', packages: ['@langchain/ollama', '@langchain/core'], face: '/api/chat',
  open: (url) => client({
    make: ({ model, think }) => new ChatOllama({ model, baseUrl: url, maxRetries: 0, ...(think && { think: true }) }),
    schemaOptions: (schema) => ({ format: schema }),
    embeddings: (model) => new OllamaEmbeddings({ model, baseUrl: url, maxRetries: 0 }),
    failure: (err) => ({ status: err.status_code }),
  }),
});
