// Prefill (512 tokens of one text) and decode (64 tokens after 128) of llama.cpp, prebuilt in the npm package node-llama-cpp, on the CPU.
// usage: node llama_bench.mjs MODEL.gguf VOCABULARY THREADS, where node finds node-llama-cpp
import { getLlama } from "node-llama-cpp";

const [path, vocabulary, threads] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
const model = await llama.loadModel({ modelPath: path });
const median = (xs) => xs.sort((a, b) => a - b)[xs.length >> 1];
const ids = (n) => Array.from({ length: n }, (_, i) => 3 + ((i * 7919) % (vocabulary - 3)));
const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads });
const sequence = context.getSequence();
const prefill = [], decode = [];
for (let r = 0; r < 5; r++) {
  await sequence.clearHistory();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(ids(512));
  prefill.push(512000 / (performance.now() - start));
  await sequence.clearHistory();
  let count = 0, first = 0;
  for await (const _ of sequence.evaluate(ids(128), { temperature: 0, yieldEogToken: true })) {
    if (count === 0) first = performance.now();
    if (++count > 64) break;
  }
  decode.push(64000 / (performance.now() - first));
}
console.log(JSON.stringify({ prefill_tokens_s: median(prefill), decode_tokens_s: median(decode) }));
process.exit(0);
