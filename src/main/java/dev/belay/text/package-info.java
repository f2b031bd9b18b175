/**
 * Text on its way into a model and out of it.
 *
 * <p>{@link dev.belay.text.Tokenizer} turns text into token ids and back, {@link dev.belay.text.ChatTemplate} turns messages
 * into text, {@link dev.belay.text.Transcripts} reads prompt, thinking and response from JSON Lines.
 * {@link dev.belay.text.ProbeText} joins them into the tokens that a refusal probe reads and marks the thinking and the
 * closing tokens; {@link dev.belay.text.ThinkingMarkers} and {@link dev.belay.text.ThinkingSplit} know what encloses thinking.
 * Every failure is a {@link dev.belay.BelayException} with one line. Nothing here knows of weights or devices.
 */
package dev.belay.text;
