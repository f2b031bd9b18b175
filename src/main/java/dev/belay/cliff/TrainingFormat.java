package dev.belay.cliff;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.JsonText;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.ThinkingSplit;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.util.Locale;

/** How training examples are written: one JSON object per line. */
public enum TrainingFormat {
    /** The line the transcript was read from, with all of its fields. */
    TRANSCRIPT,
    /** {@code system} if there is one, {@code instruction}, an empty {@code input}, {@code output}. */
    ALPACA,
    /** {@code id} and {@code messages}: one of the system if there is a system prompt, one of the user, one of the assistant. */
    MESSAGES;

    private static final ObjectMapper JSON = new ObjectMapper();

    /** Reads {@code transcript}, {@code alpaca} or {@code messages}. */
    public static TrainingFormat parse(String text) {
        return switch (text) {
            case "transcript" -> TRANSCRIPT;
            case "alpaca" -> ALPACA;
            case "messages" -> MESSAGES;
            default ->
                throw new BelayException("unknown training format '" + text + "': use transcript, alpaca or messages");
        };
    }

    /**
     * The transcript as one line of JSON, without a line feed.
     *
     * @param markers what the model writes around its thinking; {@link #TRANSCRIPT} does not use them
     */
    public String line(Transcript transcript, ThinkingMarkers markers) {
        return switch (this) {
            case TRANSCRIPT -> Transcripts.toJsonLine(transcript);
            case ALPACA -> text(transcript, alpaca(transcript, markers));
            case MESSAGES -> text(transcript, messages(transcript, markers));
        };
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static ObjectNode alpaca(Transcript transcript, ThinkingMarkers markers) {
        ObjectNode line = JSON.createObjectNode();
        if (!transcript.system().isEmpty()) {
            line.put("system", transcript.system());
        }
        return line.put("instruction", transcript.prompt()).put("input", "").put("output", answer(transcript, markers));
    }

    private static ObjectNode messages(Transcript transcript, ThinkingMarkers markers) {
        ObjectNode line = JSON.createObjectNode().put("id", transcript.id());
        ArrayNode messages = line.putArray("messages");
        if (!transcript.system().isEmpty()) {
            messages.add(JSON.createObjectNode().put("role", "system").put("content", transcript.system()));
        }
        messages.add(JSON.createObjectNode().put("role", "user").put("content", transcript.prompt()))
                .add(JSON.createObjectNode().put("role", "assistant").put("content", answer(transcript, markers)));
        return line;
    }

    /** Thinking and response as the model would write them. Markers that the thinking itself brings are not doubled. */
    private static String answer(Transcript transcript, ThinkingMarkers markers) {
        ThinkingSplit split = ThinkingSplit.of(transcript.thinking(), markers);
        // Text after a close marker inside the thinking is kept: it is the data's own.
        String rest = split.response().isBlank() ? "" : markers.close() + split.response();
        String thinking = split.thinking() + rest;
        return thinking.isBlank()
                ? transcript.response()
                : markers.open() + thinking + markers.close() + transcript.response();
    }

    private static String text(Transcript transcript, ObjectNode line) {
        try {
            return JsonText.encodable(JSON.writeValueAsString(line));
        } catch (JsonProcessingException e) {
            throw new BelayException(
                    "cannot write transcript " + transcript.id() + " as JSON: " + e.getOriginalMessage(), e);
        }
    }
}
