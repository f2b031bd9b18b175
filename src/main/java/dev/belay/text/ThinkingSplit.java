package dev.belay.text;

/**
 * What a model wrote, divided at its thinking markers.
 *
 * @param thinking the text before the close marker, without a leading open marker
 * @param response the text after it; empty if the model did not finish thinking
 * @param closed whether the model finished thinking; without markers always
 */
public record ThinkingSplit(String thinking, String response, boolean closed) {
    /**
     * Divides generated text at the first close marker. If only its tag is there, with other white space around it, the line
     * feeds next to the tag are dropped. Special tokens in the text, if they were decoded, stay where they are. Without markers
     * everything is response.
     */
    public static ThinkingSplit of(String generated, ThinkingMarkers markers) {
        if (markers.equals(ThinkingMarkers.NONE)) {
            return new ThinkingSplit("", generated, true);
        }
        String text = generated.substring(markers.openLength(generated));
        int tag = text.indexOf(markers.closeTag());
        if (tag < 0) {
            return new ThinkingSplit(text, "", false);
        }
        int marker = tag - markers.close().indexOf(markers.closeTag());
        if (marker >= 0 && text.startsWith(markers.close(), marker)) {
            return new ThinkingSplit(
                    text.substring(0, marker),
                    text.substring(marker + markers.close().length()),
                    true);
        }
        return new ThinkingSplit(
                text.substring(0, tag).replaceFirst("\\n+$", ""),
                text.substring(tag + markers.closeTag().length()).replaceFirst("^\\n+", ""),
                true);
    }

    /**
     * Divides what follows thinking that is closed. It is the response, unless thinking is opened again at its start, or it has a close
     * marker without an open one: what that encloses is more thinking.
     *
     * @param thinking the thinking before it, or empty
     */
    public static ThinkingSplit ofResponse(String thinking, String response, ThinkingMarkers markers) {
        ThinkingSplit split = new ThinkingSplit(thinking, response, true);
        return (markers.enclose(response) ? split.next(markers) : split).andReopened(markers);
    }

    /** The same by those markers of published models that the response has. */
    public static ThinkingSplit ofResponse(String thinking, String response) {
        return ofResponse(thinking, response, ThinkingMarkers.in(response));
    }

    /** What it is with all thinking that the response opens again at its start. */
    public ThinkingSplit andReopened(ThinkingMarkers markers) {
        ThinkingSplit split = this;
        while (markers.openLength(split.response) > 0) {
            split = split.next(markers);
        }
        return split;
    }

    /** Both parts of thinking as the model has them, with the markers between them. */
    private ThinkingSplit next(ThinkingMarkers markers) {
        ThinkingSplit next = of(response, markers);
        String between = thinking.isEmpty() || next.thinking.isEmpty() ? "" : markers.close() + markers.open();
        return new ThinkingSplit(thinking + between + next.thinking, next.response, next.closed);
    }
}
