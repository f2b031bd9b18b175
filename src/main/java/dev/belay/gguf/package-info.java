/**
 * GGUF files as model folders. {@link dev.belay.gguf.GgufFile} reads the header and gives tensors as float32,
 * {@link dev.belay.gguf.BlockType} knows how the numbers of each type are packed, {@link dev.belay.gguf.GgufConversion} writes
 * config.json, the tokenizer and safetensors.
 */
package dev.belay.gguf;
