package dev.belay.probe;

import dev.belay.BelayException;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** How a probe finds its direction in states of refusals and answers. */
public enum ProbeKind {
    /** Logistic regression: {@link ProbeTrainer}. */
    LOGISTIC,
    /** The difference of the classes' means: {@link MeanDifference}. */
    MEAN_DIFFERENCE,
    /** Logistic regression again and again, each time without the directions found before: {@link NullspaceProjection}. */
    NULLSPACE;

    /** The kind of this label. */
    public static ProbeKind parse(String label) {
        return Arrays.stream(values())
                .filter(kind -> kind.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new BelayException("unknown kind of probe '" + label + "': use "
                        + Arrays.stream(values()).map(ProbeKind::label).collect(Collectors.joining(", "))));
    }

    /** Its name in options and files. */
    public String label() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
