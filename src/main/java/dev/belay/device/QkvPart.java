package dev.belay.device;

/** Which outputs of the stacked query, key and value weights are meant. */
public enum QkvPart {
    ALL(true, true),
    QUERIES(true, false),
    KEYS_VALUES(false, true);

    private final boolean queries;
    private final boolean keyValues;

    QkvPart(boolean queries, boolean keyValues) {
        this.queries = queries;
        this.keyValues = keyValues;
    }

    /** Whether queries are among them. */
    public boolean queries() {
        return queries;
    }

    /** Whether keys and values are among them. */
    public boolean keyValues() {
        return keyValues;
    }

    /** First output of the part among all H·HD + 2·KV·HD. */
    public int first(AttentionShape shape) {
        return queries ? 0 : shape.queryWidth();
    }

    /** Number of outputs. */
    public int width(AttentionShape shape) {
        return (queries ? shape.queryWidth() : 0) + (keyValues ? 2 * shape.kvWidth() : 0);
    }
}
