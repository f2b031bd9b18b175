package dev.belay.hooks;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import java.util.List;

/** Someone who wants to see activations as a forward pass goes by. */
public interface ActivationCapture {
    /** Wants nothing. */
    ActivationCapture NONE = new ActivationCapture() {
        @Override
        public boolean wants(HookPoint point) {
            return false;
        }

        @Override
        public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
            return 0;
        }
    };

    /** Says which text each row of the next batch is; what was taken of these before does not count. */
    default void nextBatch(List<Integer> textOfRow) {}

    /** Whether {@link #take} is to be called at this point. */
    boolean wants(HookPoint point);

    /**
     * Shows the activations; the buffer is valid during the call only.
     *
     * @param values [T, width]
     * @param layout the tokens that the rows of {@code values} stand for
     * @return number of tokens taken
     */
    int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout);
}
