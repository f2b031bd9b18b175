package dev.belay.device;

import java.util.Arrays;

/**
 * Where each token of a ragged batch stands: rows of different lengths are concatenated, no padding token is computed. The keys
 * that a token attends to are the first {@code prefixLength} slots of its row in the prefix cache and then its row's own slots, up
 * to and including itself. Plain arrays with a fill count, reused from step to step; a device may mirror them.
 */
public final class TokenLayout {
    private long changes;
    private int tokens;
    private int rows;
    private int[] ids = new int[16];
    private int[] positions = new int[16];
    private int[] slots = new int[16];
    private int[] row = new int[16];
    private int[] rowStart = new int[16];
    private int[] prefixStart = new int[16];
    private int[] prefixLength = new int[16];
    private int[] ownStart = new int[16];
    private int[] angleStart = new int[16];

    /** Forgets all rows; keeps the memory. */
    public void clear() {
        changes++;
        tokens = 0;
        rows = 0;
    }

    /**
     * Opens the next row.
     *
     * @param prefixStart first slot of the shared prefix in the prefix cache
     * @param prefixLength tokens in the shared prefix; 0 = none
     * @param ownStart slot in the own cache of the row's position {@code prefixLength}
     * @return the row's number
     */
    public int addRow(int prefixStart, int prefixLength, int ownStart) {
        if (rows + 1 >= rowStart.length) {
            int size = rowStart.length * 2;
            rowStart = Arrays.copyOf(rowStart, size);
            this.prefixStart = Arrays.copyOf(this.prefixStart, size);
            this.prefixLength = Arrays.copyOf(this.prefixLength, size);
            this.ownStart = Arrays.copyOf(this.ownStart, size);
            angleStart = Arrays.copyOf(angleStart, size);
        }
        changes++;
        rowStart[rows] = tokens;
        this.prefixStart[rows] = prefixStart;
        this.prefixLength[rows] = prefixLength;
        this.ownStart[rows] = ownStart;
        angleStart[rows] = 0;
        return rows++;
    }

    /** Appends a token to the row opened last, at absolute {@code position}; its key and value go to the own cache. */
    public void addToken(int id, int position) {
        if (tokens == ids.length) {
            int size = tokens * 2;
            ids = Arrays.copyOf(ids, size);
            positions = Arrays.copyOf(positions, size);
            slots = Arrays.copyOf(slots, size);
            row = Arrays.copyOf(row, size);
        }
        changes++;
        int r = rows - 1;
        ids[tokens] = id;
        positions[tokens] = position;
        slots[tokens] = ownStart[r] + position - prefixLength[r];
        row[tokens] = r;
        tokens++;
    }

    /** Fills {@code target} with the same rows, but only the tokens at {@code indices} (ascending). */
    public void select(int[] indices, int count, TokenLayout target) {
        target.clear();
        int next = 0;
        for (int r = 0; r < rows; r++) {
            target.addRow(prefixStart[r], prefixLength[r], ownStart[r]);
            target.angleStart[r] = angleStart[r];
            while (next < count && row[indices[next]] == r) {
                target.addToken(ids[indices[next]], positions[indices[next]]);
                next++;
            }
        }
    }

    /** Says where the rotary table has the angles of row r's position 0; it is its first row where nothing else is said. */
    public void angleStart(int r, int start) {
        if (angleStart[r] != start) {
            changes++;
            angleStart[r] = start;
        }
    }

    /** Row of the rotary table with the angles of token t. */
    public int angles(int t) {
        return angleStart[row[t]] + positions[t];
    }

    /** A number that grows with every change, so that a mirror knows whether it is up to date. */
    public long changes() {
        return changes;
    }

    /** Number of tokens, T. */
    public int tokens() {
        return tokens;
    }

    /** Number of rows. */
    public int rows() {
        return rows;
    }

    /** Token id of token t. */
    public int id(int t) {
        return ids[t];
    }

    /** Absolute position of token t in its row's text. */
    public int position(int t) {
        return positions[t];
    }

    /** Slot of token t in the own cache. */
    public int slot(int t) {
        return slots[t];
    }

    /** Row of token t. */
    public int row(int t) {
        return row[t];
    }

    /** First token of row r. */
    public int rowStart(int r) {
        return rowStart[r];
    }

    /** One past the last token of row r. */
    public int rowEnd(int r) {
        return r + 1 < rows ? rowStart[r + 1] : tokens;
    }

    /** First slot of row r's shared prefix in the prefix cache. */
    public int prefixStart(int r) {
        return prefixStart[r];
    }

    /** Tokens in row r's shared prefix. */
    public int prefixLength(int r) {
        return prefixLength[r];
    }

    /** Slot in the own cache of row r's position {@code prefixLength(r)}. */
    public int ownStart(int r) {
        return ownStart[r];
    }
}
