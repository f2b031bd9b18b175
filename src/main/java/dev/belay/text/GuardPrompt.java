package dev.belay.text;

import dev.belay.BelayException;
import java.util.List;

/** The tokens that a guard model reads: its own chat template, which brings the categories, around a prompt and a response. */
public final class GuardPrompt {
    private GuardPrompt() {}

    /**
     * Renders and tokenizes a conversation of one prompt and one response, without the thinking.
     *
     * @throws BelayException if the template fails, or shows only one of the two
     */
    public static int[] of(TextFormat format, Transcript transcript) {
        Cover cover = format.cover();
        String prompt = cover.cover(transcript.prompt());
        String response = cover.cover(transcript.response());
        String text = format.template().render(List.of(Message.user(prompt), new Message("assistant", response)), true);
        if (!text.contains(prompt.strip()) || !text.contains(response.strip())) {
            throw new BelayException(
                    "the guard's chat template does not show both the prompt and the response of transcript "
                            + transcript.id() + "; is it a model that judges conversations, as Llama Guard 3 is?");
        }
        return cover.encode(text).ids();
    }
}
