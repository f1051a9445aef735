// usage: node client.mjs BASE-URL SCENE [MAX-RETRIES]
// Anthropic's own client plays the scene; what it made of the answers goes to stdout as JSON. How it
// ended is part of that, so the exit status is 0 unless the script itself is wrong.
import Anthropic from '@anthropic-ai/sdk';

const [baseURL, scene, maxRetries = '0'] = process.argv.slice(2);
const answers = []; // status of each HTTP answer, the client's own retries included

const watched = async (url, init) => {
  const answer = await fetch(url, init);
  answers.push(answer.status);
  return answer;
};

const client = new Anthropic({
  apiKey: 'sk-none',
  baseURL,
  fetch: watched,
  maxRetries: Number(maxRetries),
  timeout: 20000,
});

const question = {
  model: 'claude-test',
  max_tokens: 100,
  messages: [{ role: 'user', content: '6 times 7?' }],
};
const tool = {
  name: 'person',
  input_schema: {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer' } },
    required: ['name', 'age'],
  },
};
const forced = { ...question, tools: [tool], tool_choice: { type: 'tool', name: 'person' } };

// The pieces of text as they come, and the message that the client puts together from the events.
async function stream(body) {
  const pieces = [];
  const events = client.messages.stream(body);
  events.on('text', (piece) => pieces.push(piece));
  return { message: await events.finalMessage(), pieces };
}

const scenes = {
  message: () => client.messages.create(question),
  cut: () => client.messages.create({ ...question, max_tokens: 3 }),
  tool: () => client.messages.create(forced),
  stream: () => stream(question),
  stream_tool: () => stream(forced),
  bad_request: () => client.messages.create({ ...question, messages: [] }),
};

const report = { result: null, error: null };
try {
  report.result = await scenes[scene]();
} catch (error) {
  if (!(error instanceof Anthropic.AnthropicError)) throw error;
  const { status, message, error: body } = error;
  report.error = { name: error.constructor.name, status, message, body };
}
console.log(JSON.stringify({ ...report, answers }));
