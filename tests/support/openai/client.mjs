// usage: node client.mjs BASE-URL SCENE [MAX-RETRIES]
// OpenAI's own client plays the scene; what it made of the answers goes to stdout as JSON. How it
// ended is part of that, so the exit status is 0 unless the script itself is wrong.
import OpenAI from 'openai';

const [baseURL, scene, maxRetries = '0'] = process.argv.slice(2);
const answers = []; // status of each HTTP answer, the client's own retries included

const watched = async (url, init) => {
  const answer = await fetch(url, init);
  answers.push(answer.status);
  return answer;
};

const client = new OpenAI({
  apiKey: 'sk-none',
  baseURL,
  fetch: watched,
  maxRetries: Number(maxRetries),
  timeout: 20000,
});

const question = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: '6 times 7?' }] };
const texts = { model: 'text-embedding-3-small', input: ['red', 'green'] };

async function stream(options) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({
    ...question,
    ...options,
    stream: true,
  })) {
    chunks.push(chunk);
  }
  return chunks;
}

const scenes = {
  chat: () => client.chat.completions.create(question),
  two_chats: async () => {
    const first = await client.chat.completions.create(question);
    return [first, await client.chat.completions.create(question)];
  },
  choices: () => client.chat.completions.create({ ...question, n: 3, max_tokens: 5 }),
  // Without a format it asks for base64 and decodes that itself.
  embeddings: async () => ({
    base64: await client.embeddings.create(texts),
    float: await client.embeddings.create({ ...texts, encoding_format: 'float' }),
  }),
  models: async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids, one: await client.models.retrieve('gpt-4o') };
  },
  unknown_model: () => client.models.retrieve('gpt-0'),
  bad_request: () => client.chat.completions.create({ ...question, messages: [] }),
  raw: async () => {
    const { data, response, request_id } = await client.chat.completions
      .create(question)
      .withResponse();
    return { id: data.id, request_id, headers: Object.fromEntries(response.headers) };
  },
  stream: () => stream({}),
  // It parses what fits the format itself.
  parse: () =>
    client.chat.completions.parse({
      ...question,
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'person',
          strict: true,
          schema: { type: 'object', properties: { age: { type: 'integer', maximum: 130 } } },
        },
      },
    }),
  stream_usage: () => stream({ stream_options: { include_usage: true } }),
};

const report = { result: null, error: null };
try {
  report.result = await scenes[scene]();
} catch (error) {
  if (!(error instanceof OpenAI.OpenAIError)) throw error;
  const { status, code, type, param, message } = error;
  report.error = { name: error.constructor.name, status, code, type, param, message };
}
console.log(JSON.stringify({ ...report, answers }));
