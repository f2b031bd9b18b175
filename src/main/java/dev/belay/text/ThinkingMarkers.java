package dev.belay.text;

import dev.belay.BelayException;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What encloses the thinking of a model.
 *
 * @param open stands before the thinking
 * @param close stands between thinking and response; its tokens are the closing tokens
 */
public record ThinkingMarkers(String open, String close) {
    /** The markers of DeepSeek-R1, QwQ, Qwen3, SmolLM3, Phi-4-reasoning and most others. */
    public static final ThinkingMarkers THINK = new ThinkingMarkers("<think>\n", "\n</think>\n\n");

    /** Nothing encloses the thinking: what the model writes is its response, and there are no closing tokens. */
    public static final ThinkingMarkers NONE = new ThinkingMarkers("", "");

    /** What published models write: first the usual ones, then those of Magistral, OpenThinker, Seed-OSS and Kimi. */
    private static final List<ThinkingMarkers> KNOWN = List.of(
            THINK,
            new ThinkingMarkers("[THINK]", "[/THINK]"),
            new ThinkingMarkers("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n"),
            new ThinkingMarkers("<seed:think>", "</seed:think>"),
            new ThinkingMarkers("◁think▷", "◁/think▷"));

    /**
     * The markers that a model writes: those with which its chat template opens the answer; else those that the template mentions; else
     * those that are tokens of their own; else {@link #THINK}.
     */
    public static ThinkingMarkers find(Optional<ChatTemplate> template, Tokenizer tokenizer) {
        return first(m -> template.isPresent() && template.get().opensAnswer(m.openTag()))
                .or(() -> first(m -> m.tags().stream()
                        .anyMatch(tag -> template.isPresent() && template.get().mentions(tag))))
                .or(() -> first(m -> tokenizer.hasControl(m.openTag()) && tokenizer.hasControl(m.closeTag())))
                .orElse(THINK);
    }

    /**
     * Markers from {@code OPEN,CLOSE}, where {@code \\n} stands for a line feed, or {@link #NONE} from {@code none}.
     *
     * @throws BelayException if there are not two
     */
    public static ThinkingMarkers parse(String text) {
        if (text.equals("none")) {
            return NONE;
        }
        int comma = text.indexOf(',');
        ThinkingMarkers markers = comma < 0
                ? NONE
                : new ThinkingMarkers(lines(text.substring(0, comma)), lines(text.substring(comma + 1)));
        if (markers.openTag().isEmpty() || markers.closeTag().isEmpty()) {
            throw new BelayException("'" + text
                    + "' is no pair of markers: give OPEN,CLOSE, such as '<think>\\n,\\n</think>\\n\\n', or none");
        }
        return markers;
    }

    private static String lines(String text) {
        return text.replace("\\n", "\n");
    }

    private static Optional<ThinkingMarkers> first(Predicate<ThinkingMarkers> fits) {
        return KNOWN.stream().filter(fits).findFirst();
    }

    /** Both markers without the white space around them. */
    public List<String> tags() {
        return List.of(openTag(), closeTag());
    }

    /** The open marker without the white space around it. */
    String openTag() {
        return open.strip();
    }

    /** The close marker without the white space around it. */
    String closeTag() {
        return close.strip();
    }

    /** The first markers of published models that enclose thinking in the response itself, else {@link #NONE}. */
    static ThinkingMarkers in(String response) {
        return first(m -> m.enclose(response)).orElse(NONE);
    }

    /** Whether a response begins with thinking: it opens it, or closes it without having opened it. */
    boolean enclose(String response) {
        if (equals(NONE)) {
            return false;
        }
        int close = response.indexOf(closeTag());
        int open = response.indexOf(openTag());
        return openLength(response) > 0 || close >= 0 && (open < 0 || close < open);
    }

    /** How many leading chars of the text are an open marker with the white space that belongs to it, or 0. */
    int openLength(String text) {
        int lead = text.length() - text.stripLeading().length();
        if (equals(NONE) || !text.startsWith(openTag(), lead)) {
            return 0;
        }
        return text.startsWith(open, lead)
                ? lead + open.length()
                : lead + openTag().length();
    }
}
