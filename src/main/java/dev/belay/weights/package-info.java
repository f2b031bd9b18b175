/**
 * Weights on disk: safetensors files, read through a memory map and written as a stream.
 *
 * <p>{@link dev.belay.weights.SafetensorsModel} is a model folder (one file, or shards and their index),
 * {@link dev.belay.weights.SafetensorsFile} one file, {@link dev.belay.weights.SafetensorsWriter} writes one, and
 * {@link dev.belay.weights.ModelFingerprint} names the weights that a result came from. A file is believed only after
 * every claim of its header has been checked against its size.
 *
 * <p>The reader is our own because the one safetensors library for Java on GitHub is in no package registry and maps a
 * file with 32-bit offsets, which ends at 2 GiB: less than one shard of most models.
 *
 * <p>Format: https://huggingface.co/docs/safetensors/index#format
 */
package dev.belay.weights;
