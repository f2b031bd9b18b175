package dev.belay.cli;

import dev.belay.bench.ModelShape;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.TrainingFormat;
import dev.belay.dataset.DatasetFormat;
import dev.belay.device.DType;
import dev.belay.probe.ProbeKind;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Stream;

/** What shells complete the values of options with, where these are not what their type is called in Java. */
final class Choices {
    private Choices() {}

    /** Some values. */
    private abstract static class Values implements Iterable<String> {
        private final List<String> values;

        Values(Stream<String> values) {
            this.values = values.toList();
        }

        <T> Values(T[] all, Function<T, String> name) {
            this(Arrays.stream(all).map(name));
        }

        @Override
        public Iterator<String> iterator() {
            return values.iterator();
        }
    }

    /** Devices; cuda:n and cuda:GPU-uuid are others. */
    static final class DeviceNames extends Values {
        DeviceNames() {
            super(Stream.of("auto", "cpu", "cuda"));
        }
    }

    /** bf16 or f32. */
    static final class NumberTypes extends Values {
        NumberTypes() {
            super(DType.values(), DType::label);
        }
    }

    /** max, mean or p90. */
    static final class PlateauRules extends Values {
        PlateauRules() {
            super(Plateau.values(), Plateau::label);
        }
    }

    /** logistic, mean-difference or nullspace. */
    static final class KindsOfProbe extends Values {
        KindsOfProbe() {
            super(ProbeKind.values(), ProbeKind::label);
        }
    }

    /** misalignment, final or random. */
    static final class Ranks extends Values {
        Ranks() {
            super(DataSelection.Rank.values(), DataSelection.Rank::toString);
        }
    }

    /** transcript, alpaca or messages. */
    static final class Formats extends Values {
        Formats() {
            super(TrainingFormat.values(), format -> format.name().toLowerCase(Locale.ROOT));
        }
    }

    /** Where heads are swept; last:k are others. */
    static final class SweptScopes extends Values {
        SweptScopes() {
            super(Stream.of("all", "closing"));
        }
    }

    /** Where heads are ablated; last:k are others. */
    static final class Scopes extends Values {
        Scopes() {
            super(Stream.of("all", "closing", "generated"));
        }
    }

    /** Positions of captured states. */
    static final class CapturedPositions extends Values {
        CapturedPositions() {
            super(CaptureCommand.POSITIONS.stream());
        }
    }

    /** Names of shapes of models. */
    static final class Shapes extends Values {
        Shapes() {
            super(ModelShape.names().stream());
        }
    }

    /** Names of published files. */
    static final class Datasets extends Values {
        Datasets() {
            super(DatasetFormat.values(), DatasetFormat::label);
        }
    }

    /** Forms of exported traces. */
    static final class TraceForms extends Values {
        TraceForms() {
            super(ExportTraceCommand.FORMS.stream());
        }
    }
}
