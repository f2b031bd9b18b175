package dev.belay.forward;

import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;

/**
 * What a forward pass is to change, whom it is to show its activations, and where it writes down what happened.
 */
public record Hooks(HeadScales scales, ActivationCapture capture, HookReport report) {
    /** Neither intervention nor capture. */
    public static Hooks none() {
        return new Hooks(HeadScales.none(), ActivationCapture.NONE, new HookReport());
    }

    /** An intervention only. */
    public static Hooks scaling(HeadScales scales) {
        return new Hooks(scales, ActivationCapture.NONE, new HookReport());
    }

    /** A capture only. */
    public static Hooks capturing(ActivationCapture capture) {
        return new Hooks(HeadScales.none(), capture, new HookReport());
    }
}
