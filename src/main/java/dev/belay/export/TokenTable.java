package dev.belay.export;

import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The tokens that the numbers of a safetensors file belong to, one text after the other:
 *
 * <pre>
 * token_ids     I64 [tokens]
 * positions     I64 [tokens]     of each token in its text
 * offsets       I64 [texts + 1]  text t has the tokens offsets[t] to offsets[t + 1] - 1
 * text          U8 [bytes]       the text of all tokens, UTF-8
 * text_offsets  I64 [tokens + 1] token i has the bytes text_offsets[i] to text_offsets[i + 1] - 1
 * </pre>
 */
public final class TokenTable {
    /** Names of the tensors. */
    static final String IDS = "token_ids";

    static final String POSITIONS = "positions";
    static final String OFFSETS = "offsets";
    static final String TEXT = "text";
    static final String TEXT_OFFSETS = "text_offsets";

    private final SafetensorsWriter out;
    private final boolean withText;
    private long tokens;
    private long bytes;

    private TokenTable(SafetensorsWriter out, boolean withText) {
        this.out = out;
        this.withText = withText;
        out.write(OFFSETS, new long[] {0});
        if (withText) {
            out.write(TEXT_OFFSETS, new long[] {0});
        }
    }

    /**
     * Declares the tensors.
     *
     * @param textBytes length of all token texts in UTF-8, or -1 if they are not known
     */
    public static void declare(SafetensorsWriter.Declaration file, long texts, long tokens, long textBytes) {
        file.tensor(IDS, TensorType.I64, tokens)
                .tensor(POSITIONS, TensorType.I64, tokens)
                .tensor(OFFSETS, TensorType.I64, texts + 1);
        if (textBytes >= 0) {
            file.tensor(TEXT, TensorType.U8, textBytes).tensor(TEXT_OFFSETS, TensorType.I64, tokens + 1);
        }
    }

    /** Begins the tensors of an opened file; {@code withText} as they were declared. */
    public static TokenTable begin(SafetensorsWriter out, boolean withText) {
        return new TokenTable(out, withText);
    }

    /**
     * Adds the tokens of the next text.
     *
     * @param first position of the first of them
     * @param texts their texts; null without text
     */
    public void add(int[] ids, int first, List<String> texts) {
        long[] positions = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            positions[i] = first + i;
        }
        out.write(IDS, ids);
        out.write(POSITIONS, positions);
        tokens += ids.length;
        out.write(OFFSETS, new long[] {tokens});
        if (!withText) {
            return;
        }
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        long[] ends = new long[ids.length];
        for (int i = 0; i < ids.length; i++) {
            text.writeBytes(texts.get(i).getBytes(StandardCharsets.UTF_8));
            ends[i] = bytes + text.size();
        }
        bytes += text.size();
        out.write(TEXT, MemorySegment.ofArray(text.toByteArray()));
        out.write(TEXT_OFFSETS, ends);
    }

    /** Length of texts in UTF-8. */
    public static long bytes(List<String> texts) {
        return texts.stream()
                .mapToLong(text -> text.getBytes(StandardCharsets.UTF_8).length)
                .sum();
    }
}
