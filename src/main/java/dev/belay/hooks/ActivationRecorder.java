package dev.belay.hooks;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Copies the activations at chosen points and positions to the host, by text. */
public final class ActivationRecorder implements ActivationCapture {
    /** Chooses positions of a text. */
    public interface Selection {
        /** Whether {@code position} of text number {@code text} is recorded. */
        boolean takes(int text, int position);
    }

    private record Key(HookPoint point, int text) {}

    private static final class Rows {
        private float[] values = new float[0];
        private int used;
    }

    private final Set<HookPoint> points;
    private final Selection selection;
    private final Map<Key, Rows> recorded = new HashMap<>();
    private List<Integer> textOfRow = List.of();

    public ActivationRecorder(Set<HookPoint> points, Selection selection) {
        this.points = points;
        this.selection = selection;
    }

    /** Says which text each row of the next batch is, and forgets what was recorded of these before. */
    @Override
    public void nextBatch(List<Integer> textOfRow) {
        this.textOfRow = textOfRow;
        recorded.keySet().removeIf(key -> textOfRow.contains(key.text()));
    }

    @Override
    public boolean wants(HookPoint point) {
        return points.contains(point);
    }

    @Override
    public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
        int taken = 0;
        for (int t = 0; t < layout.tokens(); ) {
            int end = t;
            while (end < layout.tokens() && layout.row(end) == layout.row(t) && takes(layout, end)) {
                end++;
            }
            if (end == t) {
                t++;
                continue;
            }
            copy(new Key(point, textOfRow.get(layout.row(t))), values, t, end - t, width);
            taken += end - t;
            t = end;
        }
        return taken;
    }

    private boolean takes(TokenLayout layout, int token) {
        return selection.takes(textOfRow.get(layout.row(token)), layout.position(token));
    }

    private void copy(Key key, DeviceBuffer values, int token, int tokens, int width) {
        Rows rows = recorded.computeIfAbsent(key, k -> new Rows());
        int needed = rows.used + tokens * width;
        if (needed > rows.values.length) {
            rows.values = Arrays.copyOf(rows.values, Math.max(needed, 2 * rows.values.length));
        }
        values.read((long) token * width, rows.values, rows.used, tokens * width);
        rows.used = needed;
    }

    /** What was recorded at a point for a text: [positions taken, width], row-major; empty if nothing. */
    public float[] get(HookPoint point, int text) {
        Rows rows = recorded.get(new Key(point, text));
        return rows == null ? new float[0] : Arrays.copyOf(rows.values, rows.used);
    }
}
