/**
 * GGUF files as model folders. {@link dev.belay.gguf.GgufFile} reads the header and gives tensors as float32,
 * {@link dev.belay.gguf.BlockType} knows how the numbers of each type are packed, {@link dev.belay.gguf.GgufConversion} writes
 * config.json, the tokenizer and safetensors. The other way, {@link dev.belay.gguf.ControlVector} writes a probe's direction as a file
 * for llama.cpp.
 */
package dev.belay.gguf;
