package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.bench.ModelShape;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.TopCount;
import dev.belay.cliff.TrainingFormat;
import dev.belay.dataset.ColumnMap;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.cuda.CudaDeviceChoice;
import dev.belay.hooks.PositionScope;
import dev.belay.model.HubCache;
import dev.belay.probe.ProbeKind;
import dev.belay.run.Shard;
import dev.belay.text.ThinkingMarkers;
import java.nio.file.Path;
import java.util.function.Function;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Readers of option values: a value that cannot be read is a usage error. */
final class Converters {
    private Converters() {}

    static <T> T usage(String value, Function<String, T> reader) {
        try {
            return reader.apply(value);
        } catch (BelayException e) {
            throw new TypeConversionException(e.getMessage());
        }
    }

    /** A part of a run: i/n. */
    static final class ShardOf implements ITypeConverter<Shard> {
        @Override
        public Shard convert(String value) {
            return Converters.usage(value, Shard::parse);
        }
    }

    /** all, closing, generated or last:k. */
    static final class Scope implements ITypeConverter<PositionScope> {
        @Override
        public PositionScope convert(String value) {
            return Converters.usage(value, PositionScope::parse);
        }
    }

    /** Thinking markers: OPEN,CLOSE. */
    static final class Markers implements ITypeConverter<ThinkingMarkers> {
        @Override
        public ThinkingMarkers convert(String value) {
            return Converters.usage(value, ThinkingMarkers::parse);
        }
    }

    /** A probe's file, with or without a name. */
    static final class Probe implements ITypeConverter<NamedProbe> {
        @Override
        public NamedProbe convert(String value) {
            return NamedProbe.parse(value);
        }
    }

    /** logistic, mean-difference or nullspace. */
    static final class KindOfProbe implements ITypeConverter<ProbeKind> {
        @Override
        public ProbeKind convert(String value) {
            return Converters.usage(value, ProbeKind::parse);
        }
    }

    /** The name of a published file of prompts. */
    static final class Dataset implements ITypeConverter<ImportCommand.Source> {
        @Override
        public ImportCommand.Source convert(String value) {
            return Converters.usage(value, ImportCommand.Source::parse);
        }
    }

    /** Columns by name. */
    static final class Columns implements ITypeConverter<ColumnMap> {
        @Override
        public ColumnMap convert(String value) {
            return Converters.usage(value, ColumnMap::parse);
        }
    }

    /** A model's folder, or its name in the local cache of the hub. */
    static final class ModelFolder implements ITypeConverter<Path> {
        @Override
        public Path convert(String value) {
            return Converters.usage(value, name -> HubCache.resolve(name, System.getenv()));
        }
    }

    /** A number or a percentage. */
    static final class Top implements ITypeConverter<TopCount> {
        @Override
        public TopCount convert(String value) {
            return Converters.usage(value, TopCount::parse);
        }
    }

    /** max, mean or p90. */
    static final class PlateauRule implements ITypeConverter<Plateau> {
        @Override
        public Plateau convert(String value) {
            return Converters.usage(value, Plateau::parse);
        }
    }

    /** misalignment, final or random. */
    static final class Rank implements ITypeConverter<DataSelection.Rank> {
        @Override
        public DataSelection.Rank convert(String value) {
            return Converters.usage(value, DataSelection.Rank::parse);
        }
    }

    /** transcript, alpaca or messages. */
    static final class Format implements ITypeConverter<TrainingFormat> {
        @Override
        public TrainingFormat convert(String value) {
            return Converters.usage(value, TrainingFormat::parse);
        }
    }

    /** bf16 or f32. */
    static final class NumberType implements ITypeConverter<DType> {
        @Override
        public DType convert(String value) {
            return Converters.usage(value, DType::parse);
        }
    }

    /** The name of a model's shape. */
    static final class Shape implements ITypeConverter<ModelShape> {
        @Override
        public ModelShape convert(String value) {
            return Converters.usage(value, ModelShape::of);
        }
    }

    /** cpu, cuda, cuda:n, cuda:GPU-uuid or auto. */
    static final class DeviceName implements ITypeConverter<String> {
        @Override
        public String convert(String value) {
            if (!value.equals("auto") && !value.equals("cpu")) {
                try {
                    CudaDeviceChoice.parse(value);
                } catch (DeviceException e) {
                    throw new TypeConversionException(
                            "unknown device '" + value + "': use cpu, cuda, cuda:n, cuda:GPU-uuid or auto");
                }
            }
            return value;
        }
    }

    /** A finite number. */
    static final class Finite implements ITypeConverter<Float> {
        @Override
        public Float convert(String value) {
            try {
                float number = Float.parseFloat(value);
                if (Float.isFinite(number)) {
                    return number;
                }
            } catch (NumberFormatException e) {
                throw new TypeConversionException("'" + value + "' is not a number");
            }
            throw new TypeConversionException("'" + value + "' is not a finite number");
        }
    }

    /** An integer from 1. */
    static final class Positive implements ITypeConverter<Integer> {
        @Override
        public Integer convert(String value) {
            try {
                int number = Integer.parseInt(value);
                if (number > 0) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // Reported below, like a number below 1.
            }
            throw new TypeConversionException("'" + value + "' is not a whole number from 1 to " + Integer.MAX_VALUE);
        }
    }
}
