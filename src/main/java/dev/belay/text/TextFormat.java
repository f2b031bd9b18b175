package dev.belay.text;

/**
 * How a model's texts are written.
 *
 * @param tokenizer turns text into tokens; stays the caller's
 * @param template turns messages into text
 * @param markers enclose the thinking
 * @param parseSpecial whether the names of control tokens in prompts and thinking become those tokens; otherwise they are ordinary
 *     characters, so that no text can end its turn or begin another one
 */
public record TextFormat(Tokenizer tokenizer, ChatTemplate template, ThinkingMarkers markers, boolean parseSpecial) {
    /** Covers the names of control tokens in given text, unless they are to count. */
    Cover cover() {
        return new Cover(tokenizer, parseSpecial);
    }
}
