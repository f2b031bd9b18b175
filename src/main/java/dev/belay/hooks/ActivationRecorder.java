package dev.belay.hooks;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.PendingRead;
import dev.belay.device.TokenLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Copies the activations at chosen points and positions to the host, by text, while the device goes on. */
public final class ActivationRecorder implements ActivationCapture {
    /** Chooses positions of a text. */
    public interface Selection {
        /** Whether {@code position} of text number {@code text} is recorded. */
        boolean takes(int text, int position);
    }

    private record Key(HookPoint point, int text) {}

    private final Set<HookPoint> points;
    private final Selection selection;
    /** The parts of each record, in order. */
    private final Map<Key, List<float[]>> recorded = new HashMap<>();

    private List<Integer> textOfRow = List.of();
    private PendingRead latest = PendingRead.DONE;

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
        float[] part = new float[tokens * width];
        recorded.computeIfAbsent(key, k -> new ArrayList<>()).add(part);
        latest = values.beginRead((long) token * width, part, 0, part.length);
    }

    /** What was recorded at a point for a text: [positions taken, width], row-major; empty if nothing. Waits until it has arrived. */
    public float[] get(HookPoint point, int text) {
        latest.await();
        List<float[]> parts = recorded.getOrDefault(new Key(point, text), List.of());
        float[] all = new float[parts.stream().mapToInt(part -> part.length).sum()];
        int used = 0;
        for (float[] part : parts) {
            System.arraycopy(part, 0, all, used, part.length);
            used += part.length;
        }
        return all;
    }
}
