import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { question } from '../provider/scenes.js';
import { suite } from '../suite.js';
import { responses } from './openai-responses.js';

const ends = ['response.completed', 'response.incomplete', 'response.failed', 'error'];

// turns has turns answered over a connection, one behind the other.
function turns(sdk) {
  const socket = new ResponsesWS(sdk);
  socket.on('error', () => {}); // what matters of it comes as an event
  return {
    close: () => socket.close(),
    async* create(body, signal) {
      const events = [];
      let wake = () => {};
      const gone = () => wake();
      const seen = (event) => { events.push(event); wake(); };
      socket.on('event', seen);
      socket.on('close', gone);
      signal?.addEventListener('abort', () => { socket.close(); gone(); });
      socket.send({ type: 'response.create', ...body });
      try {
        for (let event; !ends.includes(event?.type);) {
          while (!events.length) {
            if (signal?.aborted) throw new Error('aborted');
            await new Promise((resolve) => { wake = resolve; });
          }
          event = events.shift();
          // What came in the place of a stream is thrown, as it is over HTTP.
          if (event.status) throw Object.assign(new Error(event.error.message), { status: event.status, code: event.error.code, headers: event.headers ?? {} });
          yield event;
        }
      } finally {
        socket.off('event', seen);
        socket.off('close', gone);
      }
    },
  };
}

// library is as much of OpenAI's as the suite asks for, over a connection for each turn.
const library = (sdk) => ({
  responses: {
    async create({ stream, ...body }, { signal } = {}) {
      const connection = turns(sdk);
      const events = connection.create(body, signal);
      // The first event tells whether there is a stream at all.
      const first = await events.next().catch((err) => { connection.close(); throw err; });
      const all = async function* () {
        try {
          yield first.value;
          yield* events;
        } finally {
          connection.close();
        }
      };
      if (stream) return all();
      let last;
      for await (const event of all()) last = event;
      return last.response;
    },
  },
});

const open = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });

suite({
  title: 'OpenAI, responses (websocket)', packages: ['openai', 'ws'], face: '/v1/responses',
  open(url) {
    const sdk = open(url);
    return { ...responses(library(sdk)), sdk };
  },
  more: {
    'turns on a connection': {
      async run({ client, model, sent }) {
        const connection = turns(client.sdk);
        const ask = async (body) => {
          let last;
          for await (const event of connection.create({ model: model('text'), store: false, ...body })) last = event;
          assert.equal(last.type, 'response.completed');
          return last.response.id;
        };
        try {
          const warm = await ask({ input: 'My name is Ada.', generate: false });
          const first = await ask({ input: [], previous_response_id: warm });
          await assert.rejects(ask({ input: question, previous_response_id: 'resp_nobody' }), { status: 400, code: 'previous_response_not_found' });
          await ask({ input: [{ role: 'user', content: question }], previous_response_id: first });
          assert.match(sent(), /My name is Ada\..*Hello, .*What is the weather/s);
          await assert.rejects(ask({ input: question, previous_response_id: first }), { status: 400 }); // the last one alone is kept
        } finally {
          connection.close();
        }
      },
    },
  },
});
