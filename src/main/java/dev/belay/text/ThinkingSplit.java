package dev.belay.text;

/**
 * What a model wrote, divided at its thinking markers.
 *
 * @param thinking the text before the close marker, without a leading open marker
 * @param response the text after it; empty if the model did not finish thinking
 */
public record ThinkingSplit(String thinking, String response) {
    /**
     * Divides generated text at the first close marker. If only its tag is there, with other white space around it, the line
     * feeds next to the tag are dropped. Special tokens in the text, if they were decoded, stay where they are. Without markers
     * everything is response.
     */
    public static ThinkingSplit of(String generated, ThinkingMarkers markers) {
        if (markers.equals(ThinkingMarkers.NONE)) {
            return new ThinkingSplit("", generated);
        }
        String text = generated.substring(markers.openLength(generated));
        int tag = text.indexOf(markers.closeTag());
        if (tag < 0) {
            return new ThinkingSplit(text, "");
        }
        int marker = tag - markers.close().indexOf(markers.closeTag());
        if (marker >= 0 && text.startsWith(markers.close(), marker)) {
            return new ThinkingSplit(
                    text.substring(0, marker),
                    text.substring(marker + markers.close().length()));
        }
        return new ThinkingSplit(
                text.substring(0, tag).replaceFirst("\\n+$", ""),
                text.substring(tag + markers.closeTag().length()).replaceFirst("^\\n+", ""));
    }
}
