package dev.belay.device;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A mixture of E experts of which a router chooses k for each token. Letters as in {@link Device}, with F the feed-forward size of an
 * expert.
 */
public final class Mixture {
    private final DeviceMatrix router;
    private final DeviceMatrix gateUp;
    private final DeviceMatrix down;
    private final List<DeviceMatrix> gateUpOf;
    private final List<DeviceMatrix> downOf;
    private final int top;
    private final boolean normalized;

    /**
     * A mixture; the matrices stay the caller's.
     *
     * @param router [E, D]
     * @param gateUp of each expert in turn gate, then up, [E·2F, D]
     * @param down of each expert in turn, [E·D, F]
     * @param top k, experts that compute a token
     * @param normalized whether the weights of a token's experts are divided by their sum
     * @throws DeviceException if these do not fit together
     */
    public Mixture(DeviceMatrix router, DeviceMatrix gateUp, DeviceMatrix down, int top, boolean normalized) {
        this.router = router;
        this.gateUp = gateUp;
        this.down = down;
        this.top = top;
        this.normalized = normalized;
        long gateUpRows = 2L * experts() * inner();
        long downRows = (long) experts() * hidden();
        if (gateUp.rows() != gateUpRows || gateUp.columns() != hidden() || down.rows() != downRows) {
            throw new DeviceException(
                    "mixture of " + router + ", " + gateUp + " and " + down + ": they do not fit together");
        }
        if (top < 1 || top > experts()) {
            throw new DeviceException("mixture of " + router + " with " + top + " experts a token");
        }
        gateUpOf = parts(gateUp, 2 * inner());
        downOf = parts(down, hidden());
    }

    private List<DeviceMatrix> parts(DeviceMatrix all, int rows) {
        return IntStream.range(0, experts())
                .mapToObj(e -> all.view(e * rows, rows, 0, all.columns()))
                .toList();
    }

    /** The router's weights [E, D]. */
    public DeviceMatrix router() {
        return router;
    }

    /** Gate and up of all experts [E·2F, D]. */
    public DeviceMatrix gateUp() {
        return gateUp;
    }

    /** Down of all experts [E·D, F]. */
    public DeviceMatrix down() {
        return down;
    }

    /** Gate and up of one expert [2F, D]. */
    public DeviceMatrix gateUp(int expert) {
        return gateUpOf.get(expert);
    }

    /** Down of one expert [D, F]. */
    public DeviceMatrix down(int expert) {
        return downOf.get(expert);
    }

    /** E. */
    public int experts() {
        return router.rows();
    }

    /** D. */
    public int hidden() {
        return router.columns();
    }

    /** F. */
    public int inner() {
        return down.columns();
    }

    /** k. */
    public int top() {
        return top;
    }

    /** Whether the weights of a token's experts are divided by their sum. */
    public boolean normalized() {
        return normalized;
    }
}
