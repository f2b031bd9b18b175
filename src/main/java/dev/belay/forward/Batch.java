package dev.belay.forward;

import dev.belay.device.TokenLayout;
import dev.belay.hooks.TextSpan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A ragged batch: the tokens of several rows, each with the parts of its text, and which of the tokens are read at the end. Reused
 * from step to step by a decode loop.
 */
public final class Batch {
    private final TokenLayout layout = new TokenLayout();
    private final List<TextSpan> spans = new ArrayList<>();
    private int[] reads = new int[16];
    private int readCount;

    /** Forgets all rows; keeps the memory. */
    public void clear() {
        layout.clear();
        spans.clear();
        readCount = 0;
    }

    /** Adds a whole text as a row of its own; its keys start at slot {@code ownStart}. */
    public int addText(int[] ids, int ownStart, TextSpan span) {
        return addSuffix(ids, 0, 0, ownStart, span);
    }

    /**
     * Adds the part of a text from position {@code from} on, with its first {@code from} tokens in the prefix cache.
     *
     * @param prefixStart slot of position 0 in the prefix cache
     * @param ownStart slot of position {@code from} in the own cache
     */
    public int addSuffix(int[] ids, int from, int prefixStart, int ownStart, TextSpan span) {
        int row = openSuffix(from, prefixStart, ownStart, span);
        for (int p = from; p < ids.length; p++) {
            layout.addToken(ids[p], p);
        }
        return row;
    }

    /** Opens a row whose own keys start with position 0 at slot {@code ownStart}; add tokens to it with {@link #addToken}. */
    public int openRow(int ownStart, TextSpan span) {
        return openSuffix(0, 0, ownStart, span);
    }

    /** Opens a row like that of {@link #addSuffix}; add its tokens, from position {@code from} on, with {@link #addToken}. */
    public int openSuffix(int from, int prefixStart, int ownStart, TextSpan span) {
        spans.add(span);
        return layout.addRow(prefixStart, from, ownStart);
    }

    /** Appends a token to the row opened last. */
    public void addToken(int id, int position) {
        layout.addToken(id, position);
    }

    /** Marks the token added last as read: only such tokens pass through the last layer when reads are asked for. */
    public void readLast() {
        if (readCount == reads.length) {
            reads = Arrays.copyOf(reads, 2 * readCount);
        }
        reads[readCount++] = layout.tokens() - 1;
    }

    /** The tokens. */
    public TokenLayout layout() {
        return layout;
    }

    /** The parts of each row's text. */
    public List<TextSpan> spans() {
        return spans;
    }

    /** Indices of the tokens that are read, ascending; valid up to {@link #readCount()}. */
    public int[] reads() {
        return reads;
    }

    /** Number of tokens that are read. */
    public int readCount() {
        return readCount;
    }

    /** Number of tokens. */
    public int tokens() {
        return layout.tokens();
    }
}
