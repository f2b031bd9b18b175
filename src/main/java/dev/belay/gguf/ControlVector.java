package dev.belay.gguf;

import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.SortedSet;

/**
 * Control vectors of llama.cpp: GGUF files with a float32 tensor {@code direction.N} [hidden] for each layer N, counted from 0, to
 * whose output it adds them. The output of layer N is H[N + 1] here; llama.cpp leaves its first layer alone.
 */
public final class ControlVector {
    /** The first state H[i] that llama.cpp can change. */
    public static final int FIRST_STATE = 2;

    private ControlVector() {}

    /**
     * The direction in which a probe's score rises, of length {@code scale}.
     *
     * @param weight w, [hidden]
     * @param norm the weights of the final norm, [hidden], if the probe reads the state behind it: before it the score rises along w times
     *     them, up to the length of the state; or null
     * @throws BelayException if the weights are all 0
     */
    public static float[] direction(float[] weight, float[] norm, double scale) {
        double[] product = new double[weight.length];
        double squares = 0;
        for (int i = 0; i < weight.length; i++) {
            product[i] = (double) weight[i] * (norm == null ? 1 : norm[i]);
            squares += product[i] * product[i];
        }
        if (squares == 0) {
            throw new BelayException("the probe's weights are all 0: it has no direction");
        }
        float[] direction = new float[weight.length];
        for (int i = 0; i < weight.length; i++) {
            direction[i] = (float) (product[i] / Math.sqrt(squares) * scale);
        }
        return direction;
    }

    /**
     * Writes one direction for several states.
     *
     * @param family {@code model_type} of the model, or null if it is not known
     * @param states the numbers i of the states H[i], from {@link #FIRST_STATE}
     * @throws BelayException if the file cannot be written
     */
    public static void write(Path target, String family, SortedSet<Integer> states, float[] direction) {
        if (states.isEmpty() || states.first() < FIRST_STATE) {
            throw new IllegalArgumentException("states " + states);
        }
        GgufWriter file = new GgufWriter()
                .put("general.architecture", "controlvector")
                .put("controlvector.model_hint", architecture(family))
                .put("controlvector.layer_count", states.size());
        states.forEach(i -> file.tensor("direction." + (i - 1), direction, direction.length));
        file.write(target);
    }

    /** What llama.cpp calls a family. */
    private static String architecture(String family) {
        return switch (family) {
            case null -> "unknown";
            case "mistral" -> "llama";
            case "qwen3_moe" -> "qwen3moe";
            default -> family;
        };
    }
}
