package dev.belay.text;

import dev.belay.BelayException;
import java.util.List;

/**
 * The tokens that a refusal probe reads for one transcript: chat template, thinking and close marker, tokenized as one string.
 * The thinking positions are [thinkingStart, thinkingEnd), the closing tokens [thinkingEnd, ids.length). A token that reaches
 * over a boundary belongs to what comes after it.
 *
 * @param id the transcript's id
 * @param ids token ids
 * @param thinkingStart position of the first thinking token
 * @param thinkingEnd position of the first closing token
 */
public record ProbeText(String id, int[] ids, int thinkingStart, int thinkingEnd) {
    /**
     * Joins and tokenizes a transcript, its system prompt first if it has one. The open marker is added unless the chat template or the
     * thinking itself brings it; a marker that both bring, and a close marker at the end of the thinking, count once. Without markers the
     * thinking follows the prompt as it is, and there are no closing tokens.
     *
     * @throws BelayException if the chat template fails or leaves out the system prompt, or nothing of the close marker is left among
     *     the tokens
     */
    public static ProbeText of(TextFormat format, Transcript transcript) {
        Cover cover = format.cover();
        ThinkingMarkers markers = format.markers();
        String prompt = render(format, cover, transcript);
        String thinking = transcript.thinking();
        int opened = markers.openLength(thinking);
        String open = thinking.substring(0, opened);
        if (prompt.stripTrailing().endsWith(markers.openTag())) {
            open = "";
        } else if (opened == 0) {
            open = markers.open();
        }
        String body = cover.cover(withoutClose(thinking.substring(opened), markers));
        int thinkingAt = cover.length(prompt + open);
        int closeAt = cover.length(prompt + open + body);
        TokenizedText tokens = cover.encode(prompt + open + body + markers.close());
        int end = tokens.firstEndingAfter(closeAt);
        if (end == tokens.length() && !markers.equals(ThinkingMarkers.NONE)) {
            throw new BelayException(
                    "transcript " + transcript.id() + ": the tokenizer leaves nothing of the close marker "
                            + markers.closeTag() + "; the model does not fit these thinking markers");
        }
        return new ProbeText(transcript.id(), tokens.ids(), Math.min(tokens.firstEndingAfter(thinkingAt), end), end);
    }

    /**
     * The tokens from which a model generates its thinking and response to the transcript's prompt.
     *
     * @throws BelayException if the chat template fails or leaves out the system prompt
     */
    public static int[] prompt(TextFormat format, Transcript transcript) {
        Cover cover = format.cover();
        return cover.encode(render(format, cover, transcript)).ids();
    }

    private static String render(TextFormat format, Cover cover, Transcript transcript) {
        Message user = Message.user(cover.cover(transcript.prompt()));
        if (transcript.system().isEmpty()) {
            return format.template().render(List.of(user), true);
        }
        String system = cover.cover(transcript.system());
        String text = format.template().render(List.of(Message.system(system), user), true);
        if (!text.contains(system.strip())) {
            throw new BelayException(
                    "transcript " + transcript.id() + " has a system prompt, but the model's chat template"
                            + " leaves it out; put it into the prompt, or leave it away");
        }
        return text;
    }

    private static String withoutClose(String thinking, ThinkingMarkers markers) {
        String text = thinking.stripTrailing();
        if (markers.equals(ThinkingMarkers.NONE) || !text.endsWith(markers.closeTag())) {
            return thinking;
        }
        String body = text.substring(0, text.length() - markers.closeTag().length());
        String lead = markers.close().substring(0, markers.close().indexOf(markers.closeTag()));
        return body.endsWith(lead) ? body.substring(0, body.length() - lead.length()) : body;
    }
}
