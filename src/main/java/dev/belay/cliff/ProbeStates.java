package dev.belay.cliff;

import dev.belay.device.PendingRead;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.function.IntConsumer;

/** The states that a refusal probe is trained on. */
public final class ProbeStates {
    private ProbeStates() {}

    /**
     * H[layer] at the last position of each probe text, [transcripts][D].
     *
     * @param progress called with the number of texts done
     */
    public static float[][] last(ForwardPass forward, List<ProbeText> probes, int layer, IntConsumer progress) {
        int width = forward.model().config().hidden();
        float[][] states = new float[probes.size()][width];
        PendingRead[] latest = {PendingRead.DONE};
        new TextRunner(forward)
                .run(
                        ProbeScorer.texts(probes),
                        layer,
                        null,
                        null,
                        true,
                        (batch, buffer) -> {
                            for (int i = 0; i < batch.size(); i++) {
                                latest[0] = buffer.beginRead((long) i * width, states[batch.get(i)], 0, width);
                            }
                        },
                        progress);
        latest[0].await();
        return states;
    }
}
